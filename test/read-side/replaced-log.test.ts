/**
 * A log that went back, for instance by a restored copy. Projections and reactions report it, give no answers from
 * events that never happened, and have a way out.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { domain, memory, projection, reaction, type StartOptions } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { codesOf, recorder, until } from '../support/kernel/rig.ts'
import { Box } from '../support/read-side/boxes.ts'
import { Pot, Put, rowsOf, startRows } from '../support/read-side/pots.ts'
import { spliced } from '../support/read-side/spliced.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const aggregates = { pot: Pot, box: Box }
type Amounts = { readonly amounts: readonly number[] }

/** Rows, code and a reaction over the same events. */
function threeOf(seen: number[]) {
  const rows = projection('rows', (): Amounts => ({ amounts: [] })).on(Put, ({ amounts }, { amount }) => ({
    amounts: [...amounts, amount],
  }))
  const code = projection('code').handle([Put], (events) => void seen.push(...events.map(({ data }) => data.amount)))
  const sending = reaction('sending', aggregates)
    .state(
      () => 0,
      () => 'all',
    )
    .on(Put, async ({ data: { amount } }, { state, setState, schedule }) => {
      setState(state + amount)
      schedule({ aggregate: 'box', id: 'b', name: 'receive', data: { amount, sum: state } }, { afterMs: 3_600_000 })
    })
  return domain({ aggregates, projections: { rows, code }, reactions: { sending } })
}

type Three = Awaited<ReturnType<ReturnType<typeof threeOf>['start']>>

const statusesOf = async (three: Three) => [
  await three.projections.status('rows'),
  await three.projections.status('code'),
  await three.reactions.status('sending'),
]

/** A log with a number of amounts. */
async function logWith(factory: StoreFactory, amounts: readonly number[]): Promise<StoreFactory> {
  await using pots = await startRows({ store: factory })
  for (const amount of amounts) await pots.pot('a').put({ amount })
  return factory
}

await onEveryStore('If the log went back', ({ place }) => {
  const start = async (t: TestContext, options: Pick<StartOptions, 'projections' | 'environment'> = {}) => {
    const [splice, log, seen] = [await spliced(await place(t)), recorder(), [] as number[]]
    const begin = () =>
      threeOf(seen).start({ store: splice.store, log, pollIntervalMs: 5, leaseMs: 60_000, ...options })
    return { splice, log, seen, begin }
  }
  const runAll = async (three: Three) => {
    await three.projections.runOnce('rows')
    await three.projections.runOnce('code')
    await three.reactions.runOnce('sending')
  }

  for (const [what, amounts] of [
    ['shorter', [1, 2]],
    ['as long, with others', [1, 2, 7, 8]],
    ['longer, with others', [1, 2, 7, 8, 9, 10]],
  ] as const) {
    test(`and is ${what}, everything stops, and nobody reads what never happened`, async (t) => {
      const { splice, log, begin } = await start(t)
      const before = await begin()
      for (const amount of [1, 2, 3, 4]) await before.pot('a').put({ amount })
      await until('all is handled', async () =>
        (await statusesOf(before)).every(({ position, lag }) => position === 4 && lag.events === 0),
      )
      await before.stop()
      await splice.replaceLog(await logWith(memory(), amounts))
      const after = await begin()
      await until('all have stopped', async () => (await statusesOf(after)).every(({ state }) => state === 'failed'))
      for (const { failure, lag } of await statusesOf(after)) {
        assert.deepEqual([failure?.code, lag.events], ['LOG_REPLACED', amounts.length])
      }
      assert.deepEqual(log.codes(), Array(3).fill('PROJECTION_STOPPED'))
      const { position } = await after.pot('b').put({ amount: 11 })
      const wait = { atLeast: position }
      const reads = [
        after.rows.get('a', wait),
        after.rows.find({}, wait),
        after.code.reached(wait),
        after.rows.get('a'),
      ]
      assert.deepEqual(await codesOf(reads), Array(4).fill('LOG_REPLACED'))
      await after.stop()
      await splice.close()
    })
  }

  test('a running projection notices it even without appends, or at once if it is asked', async (t) => {
    const { splice, begin } = await start(t)
    const three = await begin()
    for (const amount of [1, 2, 3, 4]) await three.pot('a').put({ amount })
    // One that was not there yet would continue in the other log.
    await until('all are there', async () => (await statusesOf(three)).every(({ position }) => position === 4))
    await splice.replaceLog(await logWith(memory(), [1, 2]))
    assert.deepEqual(await codesOf([three.rows.get('a', { atLeast: 2 })]), ['LOG_REPLACED'])
    await until('all have stopped', async () => (await statusesOf(three)).every(({ state }) => state === 'failed'))
    await three.stop()
    await splice.close()
  })

  test('a projection that is run by hand reports it when it is run, or when it is asked for a position', async (t) => {
    const { splice, begin } = await start(t, { projections: 'manual' })
    const three = await begin()
    for (const amount of [1, 2, 3, 4]) await three.pot('a').put({ amount })
    await runAll(three)
    await splice.replaceLog(await logWith(memory(), [1, 2, 7, 8, 9]))
    const wait = { atLeast: 2 }
    const asked = [three.rows.get('a', wait), three.rows.find({}, wait), three.code.reached(wait)]
    assert.deepEqual(await codesOf(asked), Array(3).fill('LOG_REPLACED'))
    const run = [
      three.projections.runOnce('rows'),
      three.projections.runOnce('code'),
      three.reactions.runOnce('sending'),
    ]
    assert.deepEqual(await codesOf(run), Array(3).fill('LOG_REPLACED'))
    for (const { failure, lag } of await statusesOf(three)) {
      assert.deepEqual([failure?.code, lag.events], ['LOG_REPLACED', 5])
    }
    assert.deepEqual(await codesOf([three.rows.get('a'), three.rows.find()]), ['LOG_REPLACED', 'LOG_REPLACED'])
    await three.stop()
    await splice.close()
  })

  test('commands that were scheduled are not sent any more', async (t) => {
    let nowMs = Date.now()
    const { splice, begin } = await start(t, { projections: 'manual', environment: { now: () => nowMs } })
    const three = await begin()
    for (const amount of [1, 2, 3, 4]) await three.pot('a').put({ amount })
    await three.reactions.runOnce('sending')
    await splice.replaceLog(await logWith(memory(), [1, 2]))
    nowMs += 2 * 3_600_000
    assert.deepEqual(await codesOf([three.reactions.runOnce('sending')]), ['LOG_REPLACED'])
    assert.deepEqual((await three.box('b').state()).amounts, [])
    await three.stop()
    await splice.close()
  })

  test('rebuilt rows, and projections that are reset, continue from what the log has', async (t) => {
    const { splice, begin, seen } = await start(t, { projections: 'manual' })
    const three = await begin()
    for (const amount of [1, 2, 3, 4]) await three.pot('a').put({ amount })
    await runAll(three)
    await splice.replaceLog(await logWith(memory(), [1, 2, 7]))
    await three.projections.rebuild('rows')
    assert.deepEqual(await rowsOf(three as never, 3), { a: [1, 2, 7] })
    await assert.rejects(three.projections.reset('code', { from: 5 }), { code: 'OPTION_INVALID' })
    await three.projections.reset('code', { from: 3 })
    await three.reactions.reset('sending', { from: 3, keep: true })
    seen.length = 0
    await runAll(three)
    assert.deepEqual(seen, [7])
    const rest = await splice.store.open({ now: () => 0, warn: () => {} })
    const keys = async (prefix: string) =>
      (await rest.listRows('reaction sending', { prefix, limit: 10 })).rows.map(({ value }) => value)
    // Its state is that of all events that it has seen. The timers of lost events are gone.
    assert.deepEqual(await keys('state '), [1 + 2 + 3 + 4 + 7])
    assert.equal((await keys('timer ')).length, 3)
    await three.reactions.reset('sending', { from: 1 })
    await three.reactions.runOnce('sending')
    assert.deepEqual(await keys('state '), [1 + 2 + 7])
    assert.equal((await keys('timer ')).length, 3)
    for (const { position, lag, failure } of await statusesOf(three)) {
      assert.deepEqual([position, lag.events, failure], [3, 0, undefined])
    }
    await three.stop()
    await splice.close()
  })

  test('parked events are not retried as other events', async (t) => {
    const [splice, sick] = [await spliced(await place(t)), new Set([2])]
    const pots = await startRows({ store: splice.store, sick, policy: { giveUp: 'park' } })
    for (const amount of [1, 2, 3]) await pots.pot('a').put({ amount })
    await pots.projections.runOnce('rows')
    await splice.replaceLog(await logWith(memory(), [1, 7, 8, 9]))
    sick.clear()
    assert.deepEqual(await codesOf([pots.projections.retryParked('rows')]), ['LOG_REPLACED'])
    await pots.stop()
    await splice.close()
  })
})

test('If log and checkpoint went back together, a running projection continues', async () => {
  const [splice, log] = [await spliced(memory()), recorder()]
  const pots = await startRows({ store: splice.store, log, projections: 'automatic', pollIntervalMs: 5 })
  for (const amount of [1, 2, 3, 4]) await pots.pot('a').put({ amount })
  await pots.rows.get('a', { atLeast: 4 })
  const older = await logWith(memory(), [1, 2])
  {
    await using past = await startRows({ store: older })
    await past.projections.runOnce('rows')
  }
  await splice.replaceRest(older)
  await splice.replaceLog(older)
  await until('it has gone back', async () => (await pots.projections.status('rows')).position === 2)
  const { position } = await pots.pot('b').put({ amount: 9 })
  assert.deepEqual(await rowsOf(pots, position), { a: [1, 2], b: [9] })
  assert.deepEqual(log.codes(), [])
  await pots.stop()
  await splice.close()
})

test('A build that had begun on a replaced log begins again', async () => {
  const splice = await spliced(memory())
  const log = recorder()
  const old = await startRows({ store: splice.store, log })
  for (const amount of [1, 2, 3, 4]) await old.pot('a').put({ amount })
  await old.projections.runOnce('rows')
  // Another process dies while it builds the rows of the next revision.
  const opened = await splice.store.open({ now: () => 0, warn: () => {} })
  const building = { storage: 'rebuilt x rows', revision: 2 }
  const record = { live: { storage: 'rows', revision: 1 }, building, retired: [] }
  const [zero, first] = [0, 2 ** 52].map((position) => ({ position, term: 0, note: {} }))
  const rows = [{ key: 'generations', value: record }]
  await opened.saveStep('generations rows', { from: zero!, to: first!, rows })
  const to = { position: 4, term: 1, note: { checksum: 1 } }
  const handles = '\u0001handles'
  const [made] = await opened.loadRows('rows', [handles])
  const built = [
    { key: handles, value: made },
    { key: 'a', value: { amounts: [666] } },
  ]
  await opened.saveStep(building.storage, { from: zero!, to, rows: built })
  await old.stop()
  const recent = await startRows({ store: splice.store, log, revision: 2 })
  await recent.projections.runOnce('rows')
  assert.deepEqual(await rowsOf(recent), { a: [1, 2, 3, 4] })
  await recent.stop()
  await splice.close()
})
