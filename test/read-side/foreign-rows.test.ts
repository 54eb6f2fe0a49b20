/**
 * Rows that something else has written into a store. They are damage of the store, so they are refused with its code,
 * and no event is parked or skipped because of them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json, JsonObject } from '../../src/domain/json.ts'
import { hasCode } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { fillShop, openShop, type RunningShop, sell, storagesOf } from '../support/fuzz/shop.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

type Name = 'by' | 'generations' | 'total' | 'follow'

/** Writes rows beside the checkpoint of a name. */
async function write(factory: StoreFactory, name: Name, rows: Readonly<Record<string, Json>>, note?: JsonObject) {
  const store = await factory.open({ now: () => 0, warn: () => {} })
  try {
    const [by, generations, total, follow] = await storagesOf(store)
    const storage = { by, generations, total, follow }[name]!
    const at = await store.loadCheckpoint(storage)
    const list = Object.entries(rows).map(([key, value]) => ({ key, value }))
    await store.saveStep(storage, { from: at, to: note === undefined ? at : { ...at, note }, rows: list })
  } finally {
    await store.close()
  }
}

const damaged = async (call: () => PromiseLike<unknown>): Promise<void> => {
  const error = await Promise.resolve()
    .then(call)
    .then(
      () => assert.fail(`${call} was answered`),
      (thrown: unknown) => thrown,
    )
  assert.ok(hasCode(error, 'STORE_CORRUPT'), String(error))
}

const parkedIn = async ({ projections, reactions }: RunningShop) =>
  [...(await projections.parked('by')), ...(await reactions.parked('follow'))].map(({ position }) => position)

await onEveryStore('A row that something else has written', ({ place }) => {
  test('is never read as another value, and parks or skips no event', async (context) => {
    const store = await place(context)
    await fillShop(store)
    {
      await using shop = await openShop(store)
      await sell(shop.running, 2, 'two')
      await shop.running.reactions.runOnce('follow')
    }
    await write(store, 'by', { 'all 0': { n: 1, gain: { $bigint: 'five' } } })
    await write(store, 'total', { two: { all: { $number: 'many' } } })
    await write(store, 'follow', { 'state two': { last: { $date: 'tomorrow' } } })
    await using shop = await openShop(store)
    const { running, causes } = shop
    const before = [await running.projections.status('total'), await parkedIn(running)]
    for (const n of [2, 4]) await sell(running, n, 'two')
    await damaged(() => running.by.get('all 0'))
    await damaged(() => running.by.find({ orderBy: ['gain'] }))
    await damaged(() => running.by.find({ orderBy: ['n'] }))
    await damaged(() => running.by.count())
    await damaged(() => running.projections.runOnce('by'))
    await damaged(() => running.projections.runOnce('total'))
    await damaged(() => running.reactions.runOnce('follow'))
    const after = [await running.projections.status('total'), await parkedIn(running)]
    assert.deepEqual((after[0] as any).position, (before[0] as any).position)
    assert.deepEqual(after[1], before[1])
    assert.deepEqual(causes, [])
    await damaged(() => running.projections.compare('by', { limit: 10 }))
    // A rebuild makes the rows again.
    await running.projections.rebuild('by')
    assert.equal((await running.by.get('all 0'))?.n, 2 + 4 + 6 + 2 + 2 + 4)
  })
})

const parked = { position: 5, type: 'Sold', stream: { aggregate: 'shop', id: 'main' }, keys: [], reason: 'x' }
const own: Record<string, [Name, string, Json, (running: RunningShop) => PromiseLike<unknown>]> = {
  'a parked event': ['by', '\u0001parked 0000000000000005', null, (shop) => shop.projections.parked('by')],
  'the time of a parked event': [
    'follow',
    '\u0001parked 0000000000000005',
    { ...parked, parkedAt: 'now' },
    (shop) => shop.reactions.parked('follow'),
  ],
  'the position of a parked event': [
    'follow',
    '\u0001parked 0000000000000005',
    { ...parked, position: 4, parkedAt: 0 },
    (shop) => shop.reactions.runOnce('follow'),
  ],
  'a timer': [
    'follow',
    'timer 0001767225601000 0000000000000001:000000',
    { dueAt: 'soon', command: {} },
    (shop) => shop.reactions.timers('follow'),
  ],
  'a timer that is due': [
    'follow',
    'timer 0000000000000001 0000000000000001:000000',
    { dueAt: 1 },
    (shop) => shop.reactions.runOnce('follow'),
  ],
  'an answer': ['follow', 'answer 5:["step","look",1]', 5, (shop) => shop.reactions.runOnce('follow')],
  'the record of generations': ['generations', 'generations', { live: null }, (shop) => shop.by.get('main 1')],
  'the row that says which events are handled': [
    'total',
    '\u0001handles',
    ['shop\nSold'],
    (shop) => shop.projections.runOnce('total'),
  ],
  'an entry of an index': [
    'by',
    '\u0001index 0 2bff0000000000000main 1\u0002',
    { key: 'main 1' },
    (shop) => shop.by.find({ orderBy: ['n'] }),
  ],
}

await onEveryStore('A row of the library that something else has written', ({ place }) => {
  for (const [what, [name, key, value, call]] of Object.entries(own)) {
    test(`is refused: ${what}`, async (context) => {
      const store = await place(context)
      await fillShop(store)
      await write(store, name, { [key]: value })
      await using shop = await openShop(store)
      await damaged(() => call(shop.running))
    })
  }

  test('is refused: the note of a checkpoint', async (context) => {
    for (const note of [{ indexes: [[]] }, { indexes: [{ field: 'n' }] }, { began: 'x' }, { forgetting: 'some' }]) {
      const store = await place(context)
      await fillShop(store)
      await write(store, 'by', {}, note)
      await using shop = await openShop(store)
      await damaged(() => shop.running.projections.runOnce('by'))
    }
  })
})
