/**
 * W12: the newest 20 orders of one customer among 1,000,000 rows, by an index; and a page in the middle of all of that
 * customer's orders.
 */

import { systemEnvironment } from '../../src/application/system-environment.ts'
import { orderingOf } from '../../src/domain/field-path.ts'
import type { Json } from '../../src/domain/json.ts'
import { findRows } from '../../src/projection/reading/find.ts'
import type { Query } from '../../src/projection/reading/query.ts'
import { changedEntries } from '../../src/projection/stored/index-entries.ts'
import { Breath } from '../../src/runtime/breath.ts'
import type { Row, Store } from '../../src/store/store.ts'
import { type Figure, median, spreadOf } from '../figure.ts'
import { makePlace, openStore, type Setting } from '../setting.ts'

const rowsFull = 1_000_000
const customers = 1000
const rowsAtOnce = 2000
const asksFull = 200
const pageSize = 20
const storage = 'orders'
const indexes = [orderingOf(['customer', ['placedAt', 'descending']])]

interface Order {
  readonly customer: string
  readonly placedAt: number
  readonly total: number
}

export async function measureFinding(setting: Setting): Promise<readonly Figure[]> {
  const { store: name, scale } = setting
  const rows = Math.max(rowsFull * scale, customers)
  const place = makePlace(setting, 'w12')
  const store = await openStore(place)
  await fillRows(store, rows)
  const source = () => ({ store, storage, breath: new Breath(systemEnvironment) })
  const times: Record<'first' | 'later', number[]> = { first: [], later: [] }
  const asks = Math.max(asksFull * scale, 10)
  for (let i = -10; i < asks; i++) {
    const where = { customer: customerOf(i * 37 + 1000) }
    const query: Query<Order> = { where, orderBy: [['placedAt', 'descending']], limit: pageSize }
    const startedAt = performance.now()
    const first = await findRows(source(), query as Query<any>)
    const turnedAt = performance.now()
    if (first.rows.length !== Math.min(pageSize, Math.floor(rows / customers))) throw new Error('rows are missing')
    await findRows(source(), { ...query, after: first.next } as Query<any>)
    if (i < 0) continue
    times.first.push(turnedAt - startedAt)
    times.later.push(performance.now() - turnedAt)
  }
  await store.close()
  await place.remove()
  const figure = (id: string, what: string, some: readonly number[]): Figure => ({
    ...{ id, what, store: name, unit: 'ms', value: median(some) },
    latencyMs: spreadOf(some),
    memoryPeakBytes: process.memoryUsage.rss(),
  })
  return [
    figure('W12', 'find the newest 20 of one customer among 1,000,000 rows: time (p50)', times.first),
    figure('W12-next', 'the page after them', times.later),
  ]
}

const customerOf = (i: number): string => `customer ${i % customers}`

/** Saves rows with the entries of the index, as the steps of a projection would. */
async function fillRows(store: Store, count: number): Promise<void> {
  const note = { indexes: indexes as unknown as Json }
  let from = { position: 0, term: 0 }
  for (let start = 0; start < count; start += rowsAtOnce) {
    const rows = Array.from({ length: Math.min(rowsAtOnce, count - start) }, (_, i): Row => {
      const n = start + i
      const value = { customer: customerOf(n), placedAt: (n * 7919) % count, total: n % 100 }
      return { key: `order ${n}`, value }
    })
    const to = { position: 0, term: 1, note }
    const step = { from, to, rows: [...rows, ...changedEntries(indexes, new Map(), rows)], mayBeLost: true }
    await store.saveStep(storage, step)
    from = { position: 0, term: 1 }
  }
}
