/** Reading tables of users beyond the conformance kit: the event loop, threads that are given up, values. */
import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { test } from 'node:test'
import { sql } from '../../../domain/sql-statement.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import type { SqlReading, Store } from '../../store.ts'
import { freshPath, openStore } from '../sqlite-test.fixture.ts'

const timeoutMs = 60_000
const one = sql`SELECT 1 AS one`

/** A statement that counts for some time, and ends by itself. */
const counting = (count: number) =>
  sql<{ n: number }>`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    SELECT count(*) AS n FROM n`

const read = <Result>(store: Store, work: (reading: SqlReading) => Promise<Result>, limitMs = timeoutMs) =>
  store.readSql!(work, { timeoutMs: limitMs })

test('the event loop turns while a statement runs', async (context) => {
  const store = await openStore(context, await freshPath(context))
  await read(store, ({ query }) => query(one))
  let [turns, isDone] = [0, false]
  const turn = () => {
    turns++
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  assert.deepEqual(await read(store, ({ query }) => query(counting(3_000_000))), [{ n: 3_000_000 }])
  isDone = true
  // On the caller's thread there would be one or two.
  assert.ok(turns > 20, `${turns} turns`)
})

test('statements that are given up leave their threads, and other reads go on when these have ended', async (context) => {
  const store = await openStore(context, await freshPath(context))
  const long = Array.from({ length: 6 }, () => read(store, ({ query }) => query(counting(5_000_000)), 1))
  for (const outcome of await Promise.allSettled(long)) {
    assert.equal(outcome.status === 'rejected' && outcome.reason.code, 'READ_TOO_LONG')
  }
  assert.deepEqual(await read(store, ({ query }) => query(one)), [{ one: 1 }])
})

test('a store is closed although a statement that was given up still runs, and reads in progress are waited for', async (context) => {
  const store = await openStore(context, await freshPath(context))
  await assert.rejects(
    read(store, ({ query }) => query(counting(5_000_000)), 1),
    { code: 'READ_TOO_LONG' },
  )
  const reading = read(store, async ({ query }) => {
    await query(one)
    return query(counting(1000))
  })
  await store.close()
  assert.deepEqual(await reading, [{ n: 1000 }])
  await assert.rejects(
    read(store, ({ query }) => query(one)),
    { code: 'STORE_CLOSED' },
  )
})

test('values come back as SQLite has them', async (context) => {
  const store = await openStore(context, await freshPath(context))
  const values = [true, new Uint8Array([0, 255]), new Date(Date.UTC(2026, 1, 3)), 2n ** 62n, 1.5, null]
  await store.transact!('p', at(0), async ({ query }) => {
    await query(sql`CREATE TABLE my_kinds (yes, bytes, day, big, half, none)`)
    await query(sql`INSERT INTO my_kinds VALUES ${sql.list(values)}`)
    return { to: at(1), rows: [] }
  })
  const rows = await read(store, ({ query }) => query(sql`SELECT * FROM my_kinds WHERE day = ${values[2]!}`))
  const [bytes, day] = [new Uint8Array([0, 255]), '2026-02-03T00:00:00.000Z']
  assert.deepEqual(rows, [{ yes: 1, bytes, day, big: 2n ** 62n, half: 1.5, none: null }])
})

test('a result of large values is refused before it is in memory', async (context) => {
  const store = await openStore(context, await freshPath(context))
  const large = sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    SELECT zeroblob(1000000) AS bytes FROM n`
  await assert.rejects(
    read(store, ({ query }) => query(large)),
    { code: 'RESULT_TOO_LARGE' },
  )
  assert.deepEqual(await read(store, ({ query }) => query(one)), [{ one: 1 }])
})

test('nothing outside the file is reached, and nothing of the connection is changed', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  for (const text of [
    `ATTACH '${path}' AS other`,
    'PRAGMA query_only = 0',
    'CREATE TEMP TABLE t (a)',
    'BEGIN',
    'ROLLBACK',
    'VACUUM',
    "SELECT load_extension('x')",
    'SELECT "no such column"',
  ]) {
    await assert.rejects(
      read(store, ({ query }) => query(text)),
      { code: 'SQL_FAILED' },
      text,
    )
  }
})

test('a read of a file that was replaced is refused', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await read(store, ({ query }) => query(one))
  await rename(path, `${path}.old`)
  await assert.rejects(
    read(store, ({ query }) => query(one)),
    { code: 'STORE_HALTED' },
  )
})
