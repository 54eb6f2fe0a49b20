/** Followers of the log share one poll: which of them wake, when, and that there is no poll while nobody waits. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { stands, watched } from '../../../test/support/kernel/rig.ts'
import { commit } from '../../store/commit.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Tail } from './tail.ts'

const never = new AbortController().signal

/** A tail on a store without hints. It asks every second where the log ends. */
async function tailed() {
  const watch = watched()
  watch.disturb(({ method }) => (method === 'onAppend' ? 'before' : undefined))
  const store = await watch.store.open({ now: () => 0, warn: () => {} })
  const environment = manualEnvironment()
  const append = () => {
    const events = [{ type: 'Happened', data: {} }]
    const stream = { aggregate: 'a', id: '1' }
    return store.append([commit({ stream, expected: 'any', id: environment.newId(), recordedAt: 0, events })])
  }
  return { watch, environment, append, tail: new Tail({ store, environment, pollIntervalMs: 1000 }) }
}

describe('The tail of the log', () => {
  test('is asked for once for all followers, and wakes only those that are behind it', async () => {
    const { watch, environment, append, tail } = await tailed()
    const waits = [0, 0, 1].map((position) => tail.follow().wait(never, { examined: () => position }))
    await append()
    await environment.advance(1000)
    assert.equal(watch.count('head'), 1)
    assert.deepEqual(await Promise.all(waits.map(stands)), ['fulfilled', 'fulfilled', 'pending'])
    await append()
    await environment.advance(1000)
    assert.equal(watch.count('head'), 2)
    assert.equal(await stands(waits[2]!), 'fulfilled')
  })

  test('wakes all followers when the store fails, so that their reads show why', async () => {
    const { watch, environment, tail } = await tailed()
    watch.disturb(({ method }) => (method === 'head' ? 'before' : undefined))
    const waits = [0, 7].map((position) => tail.follow().wait(never, { examined: () => position }))
    await environment.advance(1000)
    assert.deepEqual(await Promise.all(waits.map(stands)), ['fulfilled', 'fulfilled'])
  })

  test('is not asked for while nobody waits', async () => {
    const { watch, environment, tail } = await tailed()
    const follower = tail.follow()
    const stopping = new AbortController()
    const waits = [
      follower.wait(stopping.signal, { examined: () => 0 }),
      tail.follow().wait(never, { examined: () => 0, mostMs: 300 }),
    ]
    await environment.advance(300)
    assert.deepEqual(await Promise.all(waits.map(stands)), ['pending', 'fulfilled'])
    stopping.abort()
    assert.equal(await stands(waits[0]!), 'fulfilled')
    assert.equal(environment.timers, 0)
    await environment.advance(10_000)
    assert.equal(watch.count('head'), 0)
  })

  test('ignores an answer that comes when nobody waits any more', async () => {
    const { watch, environment, tail } = await tailed()
    const answer = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'head' ? answer.promise : undefined))
    const stopping = new AbortController()
    const wait = tail.follow().wait(stopping.signal, { examined: () => 0 })
    await environment.advance(1000)
    stopping.abort()
    await wait
    answer.resolve()
    await environment.advance(0)
    assert.equal(environment.timers, 0)
  })

  test('is asked for although each wait is shorter than the interval', async () => {
    const { environment, append, tail } = await tailed()
    const follower = tail.follow()
    await append()
    assert.equal(await waitsUntilWoken(environment, () => follower.wait(never, { examined: () => 0, mostMs: 300 })), 4)
  })

  test('counts an answer that comes only after the wait that asked for it', async () => {
    const { watch, environment, append, tail } = await tailed()
    const follower = tail.follow()
    watch.disturb(async ({ method }) => {
      if (method === 'head') await new Promise<void>((resolve) => environment.after(700, resolve))
    })
    await append()
    const wait = () => follower.wait(never, { examined: () => 0, mostMs: 1100 })
    assert.equal(await waitsUntilWoken(environment, wait), 2)
  })

  test('does not wake a follower again that has seen more than a late answer says', async () => {
    const { watch, environment, append, tail } = await tailed()
    const answer = Promise.withResolvers<void>()
    const follower = tail.follow()
    watch.disturb(({ method }) => (method === 'head' ? answer.promise : undefined))
    const first = follower.wait(never, { examined: () => 0, mostMs: 1000 })
    await environment.advance(1000)
    assert.equal(await first, false)
    await append()
    answer.resolve()
    await environment.advance(0)
    const second = follower.wait(never, { examined: () => 1, mostMs: 100 })
    await environment.advance(100)
    assert.equal(await second, false)
  })
})

/** Waits again and again. @returns how often until it was woken */
async function waitsUntilWoken(
  environment: { advance(ms: number): Promise<void> },
  wait: () => Promise<boolean>,
): Promise<number> {
  for (let waits = 1; waits < 20; waits++) {
    const waiting = wait()
    for (let i = 0; i < 20 && (await stands(waiting)) === 'pending'; i++) await environment.advance(100)
    if (await waiting) return waits
  }
  throw new Error('It is never woken')
}
