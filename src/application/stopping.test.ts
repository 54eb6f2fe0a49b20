/** A stop ends what was asked of projections and reactions that do not follow the log, and waits for it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, hasCode, memory, projection, reaction } from '../index.ts'

const Added = event('Added', z.object({ amount: z.int() }))
const Counter = aggregate('counter', () => ({}))
  .on(Added)
  .command('add', z.object({ amount: z.int() }), (_, { amount }) => Added({ amount }))

const stopped = (error: unknown) => hasCode(error, 'STOPPED')

/** A domain with three events, whose handler waits until it is let go, and what happened in which order. */
async function start(mode: { fails: boolean }, stopTimeoutMs = 60_000) {
  const happened: string[] = []
  const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const Slow = reaction('slow')
    .on(Added, async ({ data }) => {
      if (mode.fails) throw new RangeError('not yet')
      begun.resolve()
      happened.push(`began ${data.amount}`)
      await gate.promise
      happened.push(`ended ${data.amount}`)
    })
    .onFailure({ retries: 0, giveUp: 'park' })
  const Sums = projection('sums', () => ({ sum: 0 })).on(Added, ({ sum }, { amount }) => ({ sum: sum + amount }))
  const Counting = domain({ aggregates: { counter: Counter }, reactions: { slow: Slow }, projections: { sums: Sums } })
  const store = memory()
  const options = { store, projections: 'manual', limits: { stopTimeoutMs }, log: { warn: () => {} } } as const
  const counting = await Counting.start(options)
  for (const amount of [1, 2, 3]) await counting.counter('a').add({ amount })
  const stop = () => counting.stop().then(() => void happened.push('stopped'))
  return { counting, happened, begun: begun.promise, go: gate.resolve, stop, again: () => Counting.start(options) }
}

describe('A stop', () => {
  test('ends a single run after the handler in progress, and no other handler is called', async () => {
    const { counting, happened, begun, go, stop, again } = await start({ fails: false })
    const running = assert.rejects(counting.reactions.runOnce('slow'), stopped)
    await begun
    const stopping = stop()
    go()
    await Promise.all([running, stopping])
    assert.deepEqual(happened, ['began 1', 'ended 1', 'stopped'])
    await using next = await again()
    // What was handled is saved, and the lease was given back.
    assert.deepEqual(await next.reactions.runOnce('slow'), { position: 3, events: 2 })
    assert.deepEqual(happened.slice(3), ['began 2', 'ended 2', 'began 3', 'ended 3'])
  })

  test('ends a retry of parked events after the event in progress', async () => {
    const mode = { fails: true }
    const { counting, happened, begun, go, stop, again } = await start(mode)
    await counting.reactions.runOnce('slow')
    mode.fails = false
    const retrying = counting.reactions.retryParked('slow')
    await begun
    const stopping = stop()
    go()
    const { handled, parked } = await retrying
    await stopping
    assert.deepEqual([handled, parked], [1, 2])
    assert.deepEqual(happened, ['began 1', 'ended 1', 'stopped'])
    await using next = await again()
    assert.deepEqual(await next.reactions.retryParked('slow'), { handled: 2, parked: 0 })
  })

  test('ends rebuilds and comparisons, and later calls are refused', async () => {
    for (const work of ['rebuild', 'compare'] as const) {
      const { counting, stop, again } = await start({ fails: false })
      await counting.projections.runOnce('sums')
      const job = counting.projections[work]('sums')
      const ended = assert.rejects(async () => job, stopped)
      const stopping = stop()
      await assert.rejects(counting.projections.runOnce('sums'), stopped)
      await assert.rejects(async () => counting.projections.rebuild('sums'), stopped)
      await assert.rejects(counting.reactions.retryParked('slow'), stopped)
      await Promise.all([ended, stopping])
      await using next = await again()
      assert.equal((await next.projections.rebuild('sums')).position, 3)
    }
  })

  test('ends a single run of a projection that follows the log, and says that it is not through', async () => {
    const { counting, happened, begun, go, stop } = await start({ fails: false })
    await counting.reactions.start('slow')
    await begun
    const running = assert.rejects(counting.reactions.runOnce('slow'), stopped)
    const stopping = stop()
    go()
    await Promise.all([running, stopping])
    assert.deepEqual(happened, ['began 1', 'ended 1', 'stopped'])
  })

  test('waits no longer than its limit for a handler that hangs', async () => {
    const { counting, happened, begun, go, stop } = await start({ fails: false }, 100)
    const running = counting.reactions.runOnce('slow')
    const failed = assert.rejects(running)
    await begun
    await stop()
    go()
    await failed
    assert.deepEqual(happened, ['began 1', 'stopped', 'ended 1'])
  })
})
