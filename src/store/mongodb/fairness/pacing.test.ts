/** When a writer rests for others, and when it checks whether another writer asks for the turn. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pacing } from './pacing.ts'

/** A writer whose tries take 20 ms, and which always takes the longest rest. */
function writer(): Pacing {
  const courtesy = new Pacing(() => 1)
  courtesy.lost(1000)
  courtesy.won(1020)
  return courtesy
}

test('a writer that has met nobody never rests', () => {
  const courtesy = new Pacing(() => 1)
  for (let now = 0; now < 5000; now += 10) {
    assert.equal(courtesy.restMs(now), 0)
    courtesy.won(now)
  }
})

test('a writer that has won after a collision rests for some tries of the others, minus the time since then', () => {
  const courtesy = writer()
  assert.equal(courtesy.restMs(1020), 40)
  assert.equal(courtesy.restMs(1030), 30)
  assert.equal(courtesy.restMs(1060), 0)
  const sometimes = new Pacing(() => 0.25)
  sometimes.lost(0)
  sometimes.won(20)
  assert.equal(sometimes.restMs(20), 10)
})

test('the time of a try is measured at each of them', () => {
  const courtesy = writer()
  for (let now = 2000; now < 3000; now += 100) {
    courtesy.lost(now)
    courtesy.won(now + 50)
  }
  const rest = courtesy.restMs(2950)
  assert.ok(rest > 90 && rest <= 100, `${rest}`)
})

test('several collisions in a row are as many tries', () => {
  const courtesy = new Pacing(() => 1)
  for (const now of [0, 20, 40, 60]) courtesy.lost(now)
  courtesy.won(80)
  assert.equal(courtesy.restMs(80), 40)
})

test('no rest is endless, however slow the server is', () => {
  const courtesy = new Pacing(() => 1)
  courtesy.lost(0)
  courtesy.won(60_000)
  courtesy.lost(60_000)
  courtesy.won(60_001)
  assert.equal(courtesy.restMs(60_001), 500)
})

test('a writer that has met nobody for a while no longer rests', () => {
  const courtesy = writer()
  courtesy.won(2001)
  assert.equal(courtesy.restMs(2001), 0)
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
  const courtesy = writer()
  const looks: number[] = []
  for (let now = 1020; now <= 1400; now += 10) {
    if (courtesy.shouldLook(now)) looks.push(now)
    courtesy.won(now)
  }
  assert.equal(looks.length, 4)
})
