/**
 * The bookmark: what a runner knows after another process moved the checkpoint or switched the rows, or after an answer
 * of the store was lost.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recorder, watched, withoutLeases } from '../../../test/support/kernel/rig.ts'
import { Pot, Put, rowsOf, startRows } from '../../../test/support/read-side/pots.ts'
import { sized } from '../../../test/support/size.ts'
import { domain, memory, projection, reaction } from '../../index.ts'
import { faultyStore } from '../../testing/faulty-store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

describe('A runner that looks up its checkpoint', () => {
  test('never gets the position that marks retired rows, whenever the rows are switched', async () => {
    let isMet = true
    for (let n = 1; isMet; n++) {
      isMet = false
      const store = memory()
      await using writer = await startRows({ store })
      await writer.pot('a').fill({ amounts: [1, 2, 3] })
      await writer.projections.runOnce('rows')
      const switching = faultyStore(store, ({ method, number }) => {
        if (method !== 'loadCheckpoint' || number !== n) return undefined
        isMet = true
        return Promise.resolve(writer.projections.rebuild('rows'))
      })
      await using onlooker = await startRows({ store: switching })
      assert.equal((await onlooker.projections.status('rows')).position, 3, `switched before look ${n}`)
    }
  })

  test('fails if the rows are retired and a projection as code now uses their name', async () => {
    const store = memory()
    await using rows = await startRows({ store })
    await rows.pot('a').fill({ amounts: [1, 2, 3] })
    await rows.projections.rebuild('rows')
    const seen: number[] = []
    const Seeing = projection('rows').handle([Put], (events) => {
      for (const { data } of events) seen.push(data.amount)
    })
    const Pots = domain({ aggregates: { pot: Pot }, projections: { rows: Seeing } })
    await using code = await Pots.start({ store, projections: 'manual', log: recorder() })
    await assert.rejects(code.projections.runOnce('rows'), { code: 'STORE_CORRUPT' })
    assert.deepEqual(seen, [])
  })
})

describe('A change that was saved although its answer was lost', () => {
  for (const doing of ['retryParked', 'skipParked'] as const) {
    test(`is known before the next step, after ${doing}`, async () => {
      const [watch, sick] = [watched(), new Set([1])]
      await using pots = await startRows({ store: watch.store, sick, policy: { giveUp: 'park' } })
      await pots.projections.start('rows')
      await pots.pot('a').put({ amount: 1 })
      await pots.rows.get('a', { atLeast: 1 })
      sick.clear()
      watch.disturb(({ method }) => (method === 'saveStep' ? 'after' : undefined))
      await assert.rejects(
        doing === 'retryParked' ? pots.projections.retryParked('rows') : pots.projections.skipParked('rows', 1),
        { code: 'STORE_UNAVAILABLE' },
      )
      watch.disturb(() => undefined)
      await pots.pot('a').put({ amount: 2 })
      assert.deepEqual(await rowsOf(pots, 2), { a: doing === 'retryParked' ? [1, 2] : [2] })
      assert.deepEqual(await pots.projections.parked('rows'), [])
    })
  }
})

describe('A runner that was overtaken does not stop at an event that another runner has passed', () => {
  test('with rows, although the event fails on rows of a later position', async () => {
    const store = memory()
    const Once = projection('once', () => ({ amount: 0 })).on(Put, (row, { amount }) => {
      if (row.amount >= amount) throw new RangeError(`${amount} again`)
      return { amount }
    })
    const Pots = domain({ aggregates: { pot: Pot }, projections: { once: Once } })
    // The second one waits until the lease of the first has run out.
    const options = { projections: 'manual', log: recorder(), leaseMs: sized(10_000, 500) } as const
    await using first = await Pots.start({ ...options, store })
    await first.pot('a').fill({ amounts: [1, 2] })
    const slow = faultyStore(store, ({ method }) =>
      method === 'loadRows' ? Promise.resolve(first.projections.runOnce('once')) : undefined,
    )
    await using second = await Pots.start({ ...options, store: slow })
    assert.deepEqual(await second.projections.runOnce('once'), { position: 2, events: 0 })
  })

  test('as code', async () => {
    // A handler that waits keeps its lease. If leases cannot be trusted, the runner is overtaken anyway.
    const store = withoutLeases(memory())
    const seeing = (handle: () => Promise<void>) => {
      const Seeing = projection('seeing').handle([Put], handle).onFailure({ retries: 0 })
      return domain({ aggregates: { pot: Pot }, projections: { seeing: Seeing } })
    }
    const options = { store, projections: 'manual', log: recorder() } as const
    await using first = await seeing(async () => {}).start(options)
    await first.pot('a').put({ amount: 1 })
    const handle = async () => {
      await first.projections.runOnce('seeing')
      throw new RangeError('bad')
    }
    await using second = await seeing(handle).start(options)
    assert.deepEqual(await second.projections.runOnce('seeing'), { position: 1, events: 0 })
  })
})

describe('A leader that was overtaken while it had nothing to save', () => {
  const Seeing = projection('seeing').handle([Put], () => {})
  const Reacting = reaction('reacting', { pot: Pot }).on(Put, () => {})
  const Rows = projection('rows', () => ({ n: 0 })).on(Put, ({ n }) => ({ n: n + 1 }))
  const Pots = domain({
    aggregates: { pot: Pot },
    projections: { rows: Rows, seeing: Seeing },
    reactions: { reacting: Reacting },
  })

  test('takes over again, so that events of no interest count as handled for all others', async () => {
    const environment = manualEnvironment()
    const store = memory()
    await using leading = await Pots.start({ store, environment })
    await leading.pot('a').put({ amount: 1 })
    await environment.advance(20_000)
    // Another process, whose lease had run out without its noticing, raises the terms and is never seen again.
    const opened = await store.open({ warn: () => {}, now: () => 0 })
    const names = ['rows', 'seeing', 'reaction reacting']
    for (const name of names) {
      const from = await opened.loadCheckpoint(name)
      await opened.saveStep(name, { from, to: { ...from, term: from.term + 1 }, rows: [] })
    }
    await leading.pot('a').rustle({ times: 1 })
    await environment.advance(60_000)
    for (const name of names) assert.equal((await opened.loadCheckpoint(name)).position, 2, name)
  })
})
