/** When a writer rests for others, and when it checks whether another writer asks for the turn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pacing } from './pacing.ts'

/** A writer whose tries take 20 ms, and which always takes the longest rest. */
function writer(): Pacing {
  const pacing = new Pacing(() => 1)
  pacing.lost(1000)
  pacing.won(1020)
  return pacing
}

test('a writer that has met nobody never rests', () => {
  const pacing = new Pacing(() => 1)
  for (let now = 0; now < 5000; now += 10) {
    assert.equal(pacing.restMs(now), 0)
    pacing.won(now)
  }
})

test('a writer that has won after a collision rests for some tries of the others, minus the time since then', () => {
  const pacing = writer()
  assert.equal(pacing.restMs(1020), 40)
  assert.equal(pacing.restMs(1030), 30)
  assert.equal(pacing.restMs(1060), 0)
  const sometimes = new Pacing(() => 0.25)
  sometimes.lost(0)
  sometimes.won(20)
  assert.equal(sometimes.restMs(20), 10)
})

test('the time of a try is measured at each of them', () => {
  const pacing = writer()
  for (let now = 2000; now < 3000; now += 100) {
    pacing.lost(now)
    pacing.won(now + 50)
  }
  const rest = pacing.restMs(2950)
  assert.ok(rest > 90 && rest <= 100, `${rest}`)
})

test('several collisions in a row are as many tries', () => {
  const pacing = new Pacing(() => 1)
  for (const now of [0, 20, 40, 60]) pacing.lost(now)
  pacing.won(80)
  assert.equal(pacing.restMs(80), 40)
})

test('no rest is endless, however slow the server is', () => {
  const pacing = new Pacing(() => 1)
  pacing.lost(0)
  pacing.won(60_000)
  pacing.lost(60_000)
  pacing.won(60_001)
  assert.equal(pacing.restMs(60_001), 500)
})

test('a writer that has met nobody for a while no longer rests', () => {
  const pacing = writer()
  pacing.won(2001)
  assert.equal(pacing.restMs(2001), 0)
})

test('a writer looks for others once a second while it does not pause, and not at all when it does', () => {
  const busy = new Pacing()
  const looks: number[] = []
  for (let now = 0; now <= 3000; now += 10) {
    if (busy.shouldLook(now)) looks.push(now)
    busy.won(now)
  }
  assert.deepEqual(looks, [1000, 2000, 3000])
  const calm = new Pacing()
  for (let now = 0; now <= 30_000; now += 1500) {
    assert.equal(calm.shouldLook(now), false)
    calm.won(now)
  }
})

test('among others it looks ten times a second', () => {
  const pacing = writer()
  const looks: number[] = []
  for (let now = 1020; now <= 1400; now += 10) {
    if (pacing.shouldLook(now)) looks.push(now)
    pacing.won(now)
  }
  assert.equal(looks.length, 4)
})
