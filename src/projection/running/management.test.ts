/**
 * Projections by name: started, looked up, paused, stopped; one runner across domains, and the process that takes over
 * from it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { until } from '../../../test/support/kernel/rig.ts'
import { heldStore } from '../../../test/support/stores/held-store.ts'
import { aggregate, domain, event, hasCode, memory, projection, type StartOptions } from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const Added = event('Added', z.object({ amount: z.int() }))

const Counter = aggregate('counter', () => ({}))
  .on(Added)
  .command('add', z.object({ amount: z.int() }), (_, amount) => Added(amount))

let unlucky = 13

const Sums = projection('sums', () => ({ sum: 0, events: 0 })).on(Added, ({ sum, events }, { amount }) => {
  if (amount === unlucky) throw new RangeError('unlucky')
  return { sum: sum + amount, events: events + 1 }
})

const Counting = domain({ aggregates: { counter: Counter }, projections: { sums: Sums } })

const start = (options: StartOptions = {}) =>
  Counting.start({ projections: 'manual', log: { warn: () => {} }, ...options })

type Counts = Awaited<ReturnType<typeof start>>

const add = async (counts: Counts, amount = 1) => (await counts.counter('a').add({ amount })).position

describe('A projection', () => {
  test('is not found by lookup before it is started, or after it is stopped', async () => {
    await using counts = await start()
    assert.equal(await counts.projections.lookup('sums'), undefined)
    await counts.projections.start('sums')
    assert.equal((await counts.projections.lookup('sums'))?.name, 'sums')
    await counts.projections.stop('sums')
    assert.equal(await counts.projections.lookup('sums'), undefined)
    assert.equal((await counts.projections.status('sums')).state, 'stopped')
  })

  test('that is started twice runs once', async () => {
    await using counts = await start()
    await counts.projections.start('sums')
    await counts.projections.start('sums')
    const atLeast = await add(counts, 5)
    assert.deepEqual(await counts.sums.get('a', { atLeast }), { sum: 5, events: 1 })
  })

  test('that is run once handles the whole log, though it is stopped meanwhile', async () => {
    for (const when of ['before', 'meanwhile']) {
      const { store, hold } = heldStore(memory())
      await using counts = await start({ store })
      await counts.projections.start('sums')
      await counts.sums.get('a', { atLeast: await add(counts, 5) })
      const reading = hold('answer', 'readAll')
      await add(counts)
      await reading.isThere
      const stopping = when === 'before' ? counts.projections.stop('sums') : undefined
      const running = counts.projections.runOnce('sums')
      const stopped = stopping ?? counts.projections.stop('sums')
      await add(counts)
      reading.release()
      const { position } = await running
      await stopped
      assert.equal(position, 3, when)
      assert.equal((await counts.projections.status('sums')).state, 'stopped')
    }
  })

  test('that is started while it is being stopped runs afterwards', async () => {
    const { store, hold } = heldStore(memory())
    await using counts = await start({ store })
    await counts.projections.start('sums')
    await counts.sums.get('a', { atLeast: await add(counts, 5) })
    const releasing = hold('question', 'releaseLease')
    const stopping = counts.projections.stop('sums')
    await releasing.isThere
    await counts.projections.start('sums')
    releasing.release()
    await stopping
    assert.equal((await counts.projections.lookup('sums'))?.name, 'sums')
    assert.deepEqual(await counts.sums.get('a', { atLeast: await add(counts, 7) }), { sum: 12, events: 2 })
  })

  test('cannot be started when its domain is being stopped', async () => {
    const counts = await start()
    const stopping = counts.stop()
    await assert.rejects(counts.projections.start('sums'), { code: 'STOPPED' })
    await stopping
  })

  test('that is stopped, started and stopped at once does not run', async () => {
    await using counts = await start()
    await counts.projections.start('sums')
    const { stop, start: begin, status, lookup } = counts.projections
    await Promise.all([stop('sums'), begin('sums'), stop('sums')])
    await stop('sums')
    assert.equal(await lookup('sums'), undefined)
    await Promise.all([begin('sums'), stop('sums')])
    assert.equal((await status('sums')).state, 'stopped')
  })

  test('continues from its checkpoint when it is started again', async () => {
    await using counts = await start()
    await counts.projections.start('sums')
    await counts.sums.get('a', { atLeast: await add(counts, 5) })
    await counts.projections.stop('sums')
    const atLeast = await add(counts, 7)
    assert.deepEqual(await counts.sums.get('a'), { sum: 5, events: 1 })
    await counts.projections.start('sums')
    assert.deepEqual(await counts.sums.get('a', { atLeast }), { sum: 12, events: 2 })
  })

  test('begins at a given position if it has not begun yet', async () => {
    await using counts = await start()
    for (const amount of [1, 2, 4]) await add(counts, amount)
    await counts.projections.start('sums', { from: 3 })
    assert.deepEqual(await counts.sums.get('a', { atLeast: 3 }), { sum: 4, events: 1 })
    await counts.projections.stop('sums')
    await counts.projections.start('sums', { from: 1 })
    const atLeast = await add(counts, 8)
    assert.deepEqual(await counts.sums.get('a', { atLeast }), { sum: 12, events: 2 })
  })

  test('shows its state and how far it is behind', async () => {
    const environment = manualEnvironment({ now: '2026-01-01T00:00:00Z' })
    await using counts = await start({ environment })
    await add(counts)
    await environment.advance(2000)
    await add(counts)
    await environment.advance(500)
    const lag = { events: 2, ms: 2500 }
    const stopped = { name: 'sums', state: 'stopped', position: 0, head: 2, lag, parked: 0 }
    assert.deepEqual(await counts.projections.status('sums'), stopped)
    await counts.projections.runOnce('sums')
    const done = { ...stopped, position: 2, lag: { events: 0, ms: 0 } }
    assert.deepEqual(await counts.projections.status('sums'), done)
  })

  test('that is paused handles nothing, and continues when it is resumed', async () => {
    await using counts = await start()
    await counts.projections.start('sums')
    await counts.sums.get('a', { atLeast: await add(counts, 1) })
    await counts.projections.pause('sums')
    await add(counts, 2)
    await until('it is paused', async () => (await counts.projections.status('sums')).state === 'paused')
    const atLeast = await add(counts, 4)
    await assert.rejects(counts.sums.get('a', { atLeast, timeoutMs: 1 }), { code: 'PROJECTION_BEHIND' })
    await counts.projections.resume('sums')
    assert.deepEqual(await counts.sums.get('a', { atLeast }), { sum: 7, events: 3 })
  })

  test('that fails is not found by lookup, says why, and can be started again', async () => {
    await using counts = await start()
    await counts.projections.start('sums')
    await counts.sums.get('a', { atLeast: await add(counts, 1) })
    const atLeast = await add(counts, 13)
    await assert.rejects(counts.sums.get('a', { atLeast }), { code: 'PROJECTION_FAILED' })
    assert.equal(await counts.projections.lookup('sums'), undefined)
    const { state, position, failure } = await counts.projections.status('sums')
    assert.deepEqual([state, position, failure?.code], ['failed', 1, 'PROJECTION_FAILED'])
    try {
      unlucky = -1
      await counts.projections.start('sums')
      assert.deepEqual(await counts.sums.get('a', { atLeast }), { sum: 14, events: 2 })
      assert.equal((await counts.projections.status('sums')).failure, undefined)
    } finally {
      unlucky = 13
    }
  })

  test('with an unknown name is refused by every call', async () => {
    await using counts = await start()
    const projections = counts.projections as unknown as Record<string, (name: string) => Promise<unknown>>
    for (const call of ['start', 'stop', 'lookup', 'pause', 'resume', 'status', 'runOnce']) {
      await assert.rejects(projections[call]!('nobody'), { code: 'PROJECTION_UNKNOWN' })
    }
    await assert.rejects(counts.projections.start('sums', { from: 0 }), { code: 'OPTION_INVALID' })
  })
})

describe('Of several domains on one store,', () => {
  const state = async (counts: Counts) => (await counts.projections.status('sums')).state
  const follow = (options: StartOptions) => start({ projections: 'automatic', pollIntervalMs: 5, ...options })

  test('one runs a projection, and the others stand by with its rows', async () => {
    const store = memory()
    await using first = await follow({ store })
    await until('the first runs', async () => (await state(first)) === 'running')
    await using second = await follow({ store })
    const atLeast = await add(second, 3)
    assert.deepEqual(await second.sums.get('a', { atLeast }), { sum: 3, events: 1 })
    assert.deepEqual([await state(first), await state(second)], ['running', 'standby'])
  })

  test('another takes over at once from one that stops', async () => {
    const store = memory()
    const first = await follow({ store, leaseMs: 3_600_000 })
    await until('the first runs', async () => (await state(first)) === 'running')
    await using second = await follow({ store, leaseMs: 3_600_000 })
    await add(first, 3)
    await first.stop()
    const atLeast = await add(second, 4)
    assert.deepEqual(await second.sums.get('a', { atLeast }), { sum: 7, events: 2 })
    await until('the second runs', async () => (await state(second)) === 'running')
  })

  test('another takes over from one that hangs, when its lease has expired', async () => {
    const store = memory()
    const environment = manualEnvironment()
    const opened = await store.open({ now: environment.now, warn: () => {} })
    const leased = await opened.acquireLease('projection sums', 'somebody who was killed', 10_000)
    await using counts = await follow({ store, environment, pollIntervalMs: 1000 })
    const atLeast = await add(counts, 4)
    await environment.advance(9_000)
    assert.equal(await state(counts), 'standby')
    assert.equal(await counts.sums.get('a'), undefined)
    // A waiting reader learns the reason.
    const waiting = counts.sums.get('a', { atLeast, timeoutMs: 500 }).catch((error: unknown) => error)
    await environment.advance(500)
    const error = await waiting
    assert.ok(hasCode(error, 'PROJECTION_BEHIND'))
    assert.deepEqual(error.facts.leader, { until: new Date(leased.expiresAt) })
    assert.match(error.message, /another process holds its lease until \d{4}-/)
    await environment.advance(5_000)
    assert.equal(await state(counts), 'running')
    assert.deepEqual(await counts.sums.get('a', { atLeast }), { sum: 4, events: 1 })
  })

  test('none reads rows at a position from before another domain reset them', async () => {
    const store = memory()
    await using first = await follow({ store })
    await until('the first runs', async () => (await state(first)) === 'running')
    await using second = await follow({ store })
    await using reader = await start({ store })
    const atLeast = await add(first, 3)
    for (const each of [second, reader]) {
      assert.deepEqual(await each.sums.get('a', { atLeast }), { sum: 3, events: 1 })
    }
    await first.projections.pause('sums')
    await first.projections.reset('sums', { from: 1 })
    for (const each of [first, second, reader]) {
      await assert.rejects(each.sums.get('a', { atLeast, timeoutMs: 1 }), { code: 'PROJECTION_BEHIND' })
      await assert.rejects(each.sums.find({}, { atLeast, timeoutMs: 1 }), { code: 'PROJECTION_BEHIND' })
    }
    await first.projections.resume('sums')
    for (const each of [first, second]) {
      assert.deepEqual(await each.sums.get('a', { atLeast }), { sum: 3, events: 1 })
    }
  })

  test('none runs a projection that one of them has paused', async () => {
    const store = memory()
    const environment = manualEnvironment()
    await using first = await follow({ store, environment, pollIntervalMs: 1000 })
    await environment.advance(1000)
    assert.equal(await state(first), 'running')
    await first.projections.pause('sums')
    await using second = await follow({ store, environment, pollIntervalMs: 1000 })
    await add(second, 4)
    await environment.advance(60_000)
    assert.deepEqual([await state(first), await state(second)], ['paused', 'paused'])
    assert.equal(await second.sums.get('a'), undefined)
    await first.projections.resume('sums')
    await environment.advance(1000)
    assert.deepEqual(await second.sums.get('a'), { sum: 4, events: 1 })
  })
})
