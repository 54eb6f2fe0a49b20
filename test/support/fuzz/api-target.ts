/**
 * Odd options to a running domain, and cursors that were altered. Each call is refused with a code or answered. A
 * cursor of `find` that is accepted is a place in the order: the page is a part of the whole answer.
 */
import assert from 'node:assert/strict'
import { MnemeError } from '../../../src/domain/error.ts'
import { CommandRejected, memory } from '../../../src/index.ts'
import { orderKey, orderKeyOfRow } from '../../../src/projection/stored/order-key.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { mutateJson } from './json-mutation.ts'
import { mostly, oddRecord, oddValue, unusualIds } from './odd-values.ts'
import { fillShop, openShop, type RunningShop } from './shop.ts'

/** A domain with odd options, which reads and changes nothing for others. */
type Call = (running: any, random: Random) => PromiseLike<unknown> | unknown

/** Longer than the default of what waits. */
const waitMs = 10_000
const names = ['by', 'total', 'follow']
const commands = ['sell', 'note']
const fields = ['n', 'gain', 'at', 'seen']
const wanted = [
  1,
  3,
  5n,
  new Date(0),
  'x',
  null,
  { gt: 2 },
  { gte: 2, lt: 5 },
  { in: [1, 4] },
  { not: 3 },
  new Set([1]),
]

const oddWhere = (random: Random) => oddRecord(random, Object.fromEntries(fields.map((field) => [field, wanted])))
const orders = [
  ['n'],
  [['n', 'descending']],
  ['gain', 'n'],
  [
    ['at', 'ascending'],
    ['n', 'descending'],
  ],
  ['seen'],
  [],
]

const calls: readonly Call[] = [
  (running, random) => running.by.get(mostly(random, unusualIds), oddRecord(random, { atLeast: [0, 6] })),
  (running, random) => running.by.get('main 1', { atLeast: 0, timeoutMs: mostly(random, [1, 1000], 0.5) }),
  (running, random) => running.by.find(oddFind(random)),
  (running, random) => running.by.count(oddRecord(random, { where: [oddWhere(random)], or: [[oddWhere(random)]] })),
  (running, random) => running.shop.ids(oddRecord(random, { after: unusualIds, limit: [1, 10] })),
  (running, random) => running.shop.states(mostly(random, [['main'], ['other', 'main']])),
  (running, random) => running.shop.sequences(mostly(random, [['main'], ['other', 'main']])),
  (running, random) => at(running, random).state(oddRecord(random, { sequence: [0, 1, 6, 99], time: [new Date()] })),
  (running, random) => at(running, random).read(oddRecord(random, { sequence: [0, 1, 6, 99], time: [new Date(0)] })),
  (running, random) => Array.fromAsync(at(running, random).history(oddHistory(random))),
  (running, random) => first(at(running, random).events(oddRecord(random, { from: [1, 6], after: [undefined] }))),
  (running, random) =>
    first(running.events(oddRecord(random, { from: [1, 6], after: [{ position: 1 }], types: [['Sold']] }))),
  (running, random) =>
    running.reactions.timers(mostly(random, names), oddRecord(random, { after: timerCursors, limit: [1, 5] })),
  (running, random) => running.projections.status(mostly(random, names)),
  (running, random) => running.projections.parked(mostly(random, names)),
  (running, random) => running.projections.compare(mostly(random, ['by']), oddRecord(random, { limit: [0, 1] })),
  (running, random) => running.projections.skipParked(mostly(random, ['total']), mostly(random, [1, 99])),
  (running, random) => running.dispatch(oddCommand(random)),
  (running, random) =>
    running.shop(mostly(random, ['other'])).try.sell(oddRecord(random, { n: [9], gain: ['1'] }), oddOptions(random)),
]

const at = (running: any, random: Random) => running.shop(mostly(random, ['main', 'other']))
const timerCursors = [
  'timer 0001767225602000 0000000000000002:000000',
  'timer 1',
  'timer 0001767225602000 0000000000000002:0',
]
const oddHistory = (random: Random) =>
  oddRecord(random, { from: [1, 3], to: [2, 6, Infinity], direction: ['forward', 'backward'], limit: [0, 2] })
const oddFind = (random: Random) =>
  oddRecord(random, { where: [oddWhere(random)], or: [[oddWhere(random)]], orderBy: orders, limit: [0, 1, 3] })
const oddOptions = (random: Random) =>
  oddRecord(random, {
    commandId: ['c1', '~x', 'c2'],
    expectedSequence: [0, 1],
    metadata: [{ by: 'me' }],
    tags: [['red']],
  })
const oddCommand = (random: Random) => ({
  ...oddRecord(random, {
    aggregate: ['shop', 'notes'],
    id: ['other'],
    name: commands,
    data: [{ n: 2 }, { n: 9, gain: '1' }],
  }),
  ...oddOptions(random),
})

/** The first event that comes at once, or nothing. */
async function first(events: AsyncIterable<unknown>): Promise<unknown> {
  const iterator = events[Symbol.asyncIterator]()
  const next = iterator.next()
  const none = new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  next.catch(() => undefined)
  const found = await Promise.race([next, none])
  if (found !== undefined) await iterator.return?.()
  return found
}

/** A cursor of `find`, altered as text, as JSON, or in its parts. */
async function askWithCursor(running: RunningShop, random: Random): Promise<void> {
  const orderBy: any = random.pick(orders)
  const limit = random.int(1, 4)
  const where: any = random.pick([undefined, { n: { gte: 2 } }, { n: 4 }])
  const query = { ...(where && { where }), orderBy }
  const all = (await running.by.find({ ...query, limit: 100 })).rows.map(({ key }) => key)
  const { next } = await running.by.find({ ...query, limit })
  const after = altered(next ?? 'W10', random)
  const { rows } = await running.by.find({ ...query, after: after as string, limit: 100 })
  const keys = rows.map(({ key }) => key)
  assert.deepEqual(keys, all.slice(all.length - keys.length))
  if (after === next && next !== undefined) assert.equal(keys.length, all.length - limit)
}

function altered(cursor: string, random: Random): unknown {
  const json = atob(cursor.replaceAll('-', '+').replaceAll('_', '/'))
  const [order, ...place]: string[] = JSON.parse(json)
  const i = random.below(cursor.length)
  const kinds: (() => unknown)[] = [
    () => cursor,
    () => cursor.slice(0, i) + random.pick(['A', 'z', '-', '_', '=', ' ', '\n', '+', 'é']) + cursor.slice(i + 1),
    () => cursor.slice(0, i),
    () => cursor + random.pick(['A', '=', cursor, ' ']),
    () => encoded(mutateJson(json, random)),
    () => encoded(JSON.stringify([order, ...place.map((part) => part.slice(0, random.below(part.length + 1)))])),
    () =>
      encoded(
        JSON.stringify([
          order,
          ...place.map(() => random.pick(['', '0', '6', '~', '\u0002', '日', 'x'.repeat(30_000)])),
        ]),
      ),
    () =>
      encoded(
        JSON.stringify([order, ...place.slice(1).map(() => orderKey(random.pick(wanted))), orderKeyOfRow('all 2')]),
      ),
    () => oddValue(random),
  ]
  return random.pick(kinds)()
}

function encoded(json: string): string {
  const ascii = json.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return btoa(ascii).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** A running shop that all runs ask. What some of them sell belongs to another instance. */
export function apiTarget(what: 'calls' | 'cursors'): FuzzTarget & AsyncDisposable {
  let shop: ReturnType<typeof opened> | undefined
  const opened = async () => {
    const store = memory()
    await fillShop(store)
    return openShop(store)
  }
  return {
    name: what,
    async run(random) {
      shop ??= opened()
      const { running, environment } = await shop
      try {
        if (what === 'cursors') await askWithCursor(running, random)
        else {
          const answer = (async () => random.pick(calls)(running, random))()
          answer.catch(() => undefined)
          // It may wait for a position that does not come.
          await environment.advance(waitMs)
          await answer
        }
        return 'answered'
      } catch (error) {
        if (error instanceof MnemeError || error instanceof CommandRejected) return 'refused'
        throw error
      }
    },
    [Symbol.asyncDispose]: async () => (await shop)?.running.stop(),
  }
}
