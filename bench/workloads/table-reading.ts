/**
 * W19: reading a table of a user by `readSql`, a row by its key: the time of one read, and how many a second there are
 * with 50 callers. Beside it stands `loadRows`, which reads a row of a projection.
 */
import { sql } from '../../src/domain/sql-statement.ts'
import type { Store } from '../../src/store/store.ts'
import { type Figure, median, spreadOf } from '../figure.ts'
import { makePlace, openStore, type Setting } from '../setting.ts'

const rowCount = 1000
const readsFull = 10_000
const callers = 50
const storage = 'payments'
const table = sql.identifier('bench_payments')
const timeoutMs = 30_000

export async function measureTableReading(setting: Setting): Promise<readonly Figure[]> {
  const place = makePlace(setting, 'w19')
  const store = await openStore(place)
  await fill(store)
  const byKey = (i: number) =>
    store.readSql!(({ query }) => query(sql`SELECT amount FROM ${table} WHERE id = ${i % rowCount}`), { timeoutMs })
  const rowByKey = (i: number) => store.loadRows(storage, [`${i % rowCount}`])
  const reads = Math.max(readsFull * setting.scale, callers)
  const times = { sql: await timesOf(byKey, reads / 10), row: await timesOf(rowByKey, reads / 10) }
  const rate = await rateOf(byKey, reads)
  await store.transact!(storage, { position: 0, term: 1 }, async ({ query }) => {
    await query(sql`DROP TABLE ${table}`)
    return { to: { position: 0, term: 2, note: {} }, rows: [] }
  })
  await store.close()
  await place.remove()
  const common = { store: setting.store, memoryPeakBytes: process.memoryUsage.rss() }
  const timed = (id: string, what: string, some: readonly number[]): Figure => ({
    ...{ id, what, unit: 'ms', value: median(some), latencyMs: spreadOf(some), ...common },
  })
  return [
    timed('W19', 'read a row of a table of the user by its key, with readSql: time (p50)', times.sql),
    timed('W19-row', 'the same with a row of a projection, with loadRows', times.row),
    { id: 'W19-50', what: `the first, with ${callers} callers`, unit: 'reads/s', value: rate, ...common },
  ]
}

async function fill(store: Store): Promise<void> {
  await store.transact!(storage, { position: 0, term: 0 }, async ({ query }) => {
    await query(sql`CREATE TABLE ${table} (id BIGINT PRIMARY KEY, amount BIGINT)`)
    for (let id = 0; id < rowCount; id++) await query(sql`INSERT INTO ${table} VALUES (${id}, ${id * 7})`)
    const rows = Array.from({ length: rowCount }, (_, id) => ({ key: `${id}`, value: { amount: id * 7 } }))
    return { to: { position: 0, term: 1, note: {} }, rows }
  })
}

type Read = (i: number) => Promise<readonly unknown[]>

async function timesOf(read: Read, count: number): Promise<readonly number[]> {
  const times: number[] = []
  for (let i = -20; i < count; i++) {
    const startedAt = performance.now()
    const rows = await read(i + 20)
    if (i >= 0) times.push(performance.now() - startedAt)
    if (rows.length !== 1 || rows[0] === undefined) throw new Error('the row is missing')
  }
  return times
}

async function rateOf(read: Read, count: number): Promise<number> {
  let next = 0
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) await read(next++)
    }),
  )
  return count / ((performance.now() - startedAt) / 1000)
}
