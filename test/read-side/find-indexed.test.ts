/**
 * `find` and `count` with indexes, beside the same rows without: random rows that change and go, and random queries.
 * Both have the same answers on every store, page by page too, and afterwards each index has one entry for each row.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { z } from 'zod'
import { decode } from '../../src/domain/encoding.ts'
import { aggregate, domain, event, projection } from '../../src/index.ts'
import { entriesOf, entryKey, indexesIn } from '../../src/projection/stored/index-entries.ts'
import { isOwnKey, userKey } from '../../src/projection/stored/row-key.ts'
import type { Store, Row as StoredRow } from '../../src/store/store.ts'
import { Random } from '../../src/testing/random.ts'
import { recorder } from '../support/kernel/rig.ts'
import { sized } from '../support/size.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

interface Order {
  readonly customer: unknown
  readonly placedAt: unknown
  readonly total: unknown
  readonly address: { readonly city: unknown }
}

const long = 'x'.repeat(99)
/** Values of every kind, some of them equal, some alike for a hundred characters. */
const values: Readonly<Record<keyof Order, readonly unknown[]>> = {
  customer: ['ada', 'Ada', 'adam', 'bob', '', 'é', 'z', '\uffff', '😀', 7, null, undefined, true],
  placedAt: [new Date(0), new Date(1), new Date(-1), new Date(Number.NaN), new Date(8.64e15), undefined],
  total: [0, -0, 1, -1, 1.5, 1e300, -1e300, Number.NaN, Infinity, 3n, -3n, 10n, -10n, 'text', null, [1], { a: 1 }],
  address: ['Rome', 'Romeo', '\ue000', '\u{10000}', `${long}yy`, `${long}yz`, 'a\u0001', 'a', 'a~', 'b\u007f'],
}
const fields = ['customer', 'placedAt', 'total', 'address.city'] as const
const valuesOf = (field: (typeof fields)[number]) => values[field === 'address.city' ? 'address' : field]

const begin: Order = { customer: undefined, placedAt: undefined, total: undefined, address: { city: undefined } }
const index = z.object({ row: z.array(z.int()) })
const Placed = event('Placed', index)
const Removed = event('Removed', z.object({}))
const Orders = aggregate('order', () => ({}))
  .on(Placed)
  .on(Removed)
  .command('place', index, (_, data) => Placed(data))
  .command('remove', z.object({}), () => Removed())

/** The row that an event describes by numbers of values. */
const rowOf = (picks: readonly number[]): Order => {
  const [customer, placedAt, total, city] = fields.map((field, i) => valuesOf(field)[picks[i]!])
  return { customer, placedAt, total, address: { city } }
}
const orders = (name: string) =>
  projection(name, () => begin)
    .on(Placed, (_, { row }) => rowOf(row))
    .on(Removed, () => undefined)
const Plain = orders('plain')
const Indexed = orders('indexed')
  .indexed('customer', ['placedAt', 'descending'])
  .indexed(['total', 'descending'])
  .indexed('address.city', ['total', 'descending'], 'customer')
const definition = domain({ aggregates: { order: Orders }, projections: { plain: Plain, indexed: Indexed } })

const directions = ['ascending', 'descending'] as const

function anyComparison(random: Random, field: (typeof fields)[number]): unknown {
  const value = () => random.pick(valuesOf(field))
  const wanted = random.int(0, 7)
  if (wanted === 0) return { gte: value() ?? 0 }
  if (wanted === 1) return { gt: value() ?? 0, lte: value() ?? 0 }
  if (wanted === 2) return { lt: value() ?? 0 }
  if (wanted === 3) return { in: [value(), value()] }
  if (wanted === 4) return { startsWith: random.pick(['', 'a', 'Rom', long, '\u{10000}', '\ue000']) }
  return value() ?? null
}

/** Whether `find` takes it: a bound is something simple, and a record is written in a list. */
const isTaken = (wanted: any): boolean =>
  typeof wanted !== 'object' || wanted === null || !Object.values(wanted).some((bound) => isPart(bound))
const isPart = (bound: unknown) =>
  typeof bound === 'object' && bound !== null && !(bound instanceof Date) && !Array.isArray(bound)

function anyQuery(random: Random): any {
  const where = () => {
    const some = fields
      .filter(() => random.int(0, 2) === 0)
      .map((field) => [field, anyComparison(random, field)] as const)
    return Object.fromEntries(some.filter(([, wanted]) => isTaken(wanted) && !isListBound(wanted)))
  }
  const known = [
    [['placedAt', 'descending']],
    ['customer', ['placedAt', 'descending']],
    [['total', 'descending']],
    [['total', 'descending'], 'customer'],
  ]
  const free = fields.filter(() => random.int(0, 2) === 0).map((field) => [field, random.pick(directions)])
  const orderBy = random.pick([...known, free])
  return { where: where(), ...(random.int(0, 3) === 0 && { or: [where(), where()] }), orderBy }
}
const isListBound = (wanted: any): boolean =>
  typeof wanted === 'object' &&
  wanted !== null &&
  ['gt', 'gte', 'lt', 'lte'].some((each) => Array.isArray(wanted[each]))

/** What the indexes hold, and what they should hold. */
async function entriesIn(
  store: Store,
): Promise<{ readonly held: readonly StoredRow[]; readonly due: readonly StoredRow[] }> {
  const { note } = await store.loadCheckpoint('indexed')
  const { rows } = await store.listRows('indexed', { limit: Number.POSITIVE_INFINITY })
  const indexes = indexesIn({ store, storage: 'indexed' }, note)
  assert.equal(indexes.length, 3)
  const users = rows.filter(({ key }) => !isOwnKey(key))
  const due = users.flatMap(({ key, value }) =>
    indexes.map((each, n) => ({ key: entryKey(each, n, userKey(key), decode(value!)), value: key })),
  )
  const held = rows.filter(({ key }) => indexes.some((_, n) => key.startsWith(entriesOf(n))))
  const byKey = (all: readonly StoredRow[]) => [...all].sort((a, b) => (a.key < b.key ? -1 : 1))
  return { held: byKey(held), due: byKey(due) }
}

await onEveryStore('Rows with indexes', ({ place }) => {
  test('have the answers that rows without indexes have', async (t) => {
    const random = new Random(7)
    const store = await place(t)
    const options = { store, projections: 'manual', log: recorder() } as const
    {
      await using running = await definition.start(options)
      const count = 60
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < count; i++) {
          const id = i === 0 ? '\u0001mark' : i === 1 ? 'é'.repeat(200) : `order ${i}`
          const picks = fields.map((field) => random.int(0, valuesOf(field).length - 1))
          if (round === 1 && random.int(0, 3) > 0) continue
          await (round === 2 && i % 7 === 3 ? running.order(id).remove({}) : running.order(id).place({ row: picks }))
        }
        for (const name of ['plain', 'indexed'] as const) await running.projections.runOnce(name)
        for (let n = 0; n < sized(25, 5); n++) {
          const query = anyQuery(random)
          const told = inspect(query, { depth: 5 })
          const { rows } = await running.plain.find({ ...query, limit: 1000 })
          assert.deepEqual((await running.indexed.find({ ...query, limit: 1000 })).rows, rows, told)
          const { where, or } = query
          assert.equal(await running.indexed.count({ where, ...(or && { or }) }), rows.length, told)
          const pages: unknown[] = []
          for (let after: string | undefined, asked = 0; asked === 0 || after !== undefined; asked++) {
            const limit = random.int(1, 20)
            const page = await running.indexed.find({ ...query, limit, after })
            assert.ok(page.rows.length === limit || page.next === undefined)
            pages.push(...page.rows)
            after = page.next
          }
          assert.deepEqual(pages, rows, told)
        }
      }
    }
    const opened = await store.open({ now: Date.now, warn: () => {} })
    const { held, due } = await entriesIn(opened)
    await opened.close()
    assert.ok(due.length > 100)
    assert.deepEqual(held, due)
  })

  test('may have the longest values and keys', async (t) => {
    const random = new Random(11)
    const text = (length: number) =>
      Array.from({ length }, () => String.fromCharCode(random.int(0x4e00, 0x9fff))).join('')
    const long = Array.from({ length: 4 }, () => text(300))
    const [a = '', b = '', c = '', d = ''] = long
    const Long = projection('long', () => ({ a: '', b: '', c: '', d: '' }))
      .on(Placed, () => ({ a, b, c, d }))
      .indexed('a', ['b', 'descending'], 'c', ['d', 'descending'])
    const longs = domain({ aggregates: { order: Orders }, projections: { long: Long } })
    await using running = await longs.start({ store: await place(t), projections: 'manual', log: recorder() })
    const ids = [text(341), text(300)].sort()
    for (const id of ids) await running.order(id).place({ row: [] })
    await running.projections.runOnce('long')
    const orderBy = [['b', 'descending'], 'c', ['d', 'descending']] as const
    const first = await running.long.find({ where: { a }, orderBy, limit: 1 })
    const second = await running.long.find({ where: { a }, orderBy, limit: 1, after: first.next })
    assert.deepEqual(
      [...first.rows, ...second.rows].map(({ key }) => key),
      ids.toReversed(),
    )
    assert.equal(second.next, undefined)
  })
})
