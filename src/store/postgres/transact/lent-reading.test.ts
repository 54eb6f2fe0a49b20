/** Reading tables of users beyond what the conformance kit checks on every store with SQL. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { longEnough } from '../../../../test/support/long-enough.ts'
import { dropSchema, freshSchema, openStore, withClient } from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { sql } from '../../../domain/sql-statement.ts'
import { beforeAskingAgain } from '../../../testing/ask-again.ts'
import type { SqlReading, SqlValue, Store } from '../../store.ts'

const one = sql`SELECT 1 AS one`
const read = <Result>(store: Store, work: (reading: SqlReading) => Promise<Result>, timeoutMs = 60_000) =>
  store.readSql!(work, { timeoutMs })

await onServer('Reading tables of users', findPostgres, (server) => {
  const open = async (context: TestContext, options = {}) => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    return openStore(context, server, { schema, ...options })
  }

  /** Waits until no session runs a statement with a text in it. */
  const isGone = async (text: string) => {
    for (let times = 0; ; times++) {
      const { rows } = await withClient(server, (client) =>
        client.query(
          `SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()`,
          [`%${text}%`],
        ),
      )
      if (rows.length === 0) return
      await beforeAskingAgain(times)
    }
  }

  test('a statement is cancelled when its time is up, or its signal is aborted', async (context) => {
    const store = await open(context)
    const sleep = (mark: string) => `SELECT pg_sleep(600), '${mark}' AS mark`
    await assert.rejects(
      read(store, ({ query }) => query(sleep('late mark')), 300),
      { code: 'READ_TOO_LONG' },
    )
    await isGone('late mark')
    const controller = new AbortController()
    const options = { timeoutMs: 60_000, signal: controller.signal }
    const waiting = store.readSql!(({ query }) => query(sleep('aborted mark')), options)
    await read(store, ({ query }) => query(one))
    controller.abort(new RangeError('enough'))
    await assert.rejects(waiting, RangeError)
    await isGone('aborted mark')
    assert.deepEqual(await read(store, ({ query }) => query(one)), [{ one: 1 }])
  })

  test('a read may take longer than other calls of the store', async (context) => {
    await longEnough(1000, async (timeoutMs) => {
      const store = await open(context, { timeoutMs })
      const rows = await read(store, ({ query }) => query(`SELECT pg_sleep(${1.5 * timeoutMs} / 1000)::text AS slept`))
      assert.deepEqual(rows, [{ slept: '' }])
    })
  })

  test('values come back as PostgreSQL has them', async (context) => {
    const store = await open(context)
    const [bytes, day] = [new Uint8Array([0, 255]), new Date(Date.UTC(2026, 1, 3))]
    const values: readonly SqlValue[] = [true, bytes, day, 2n ** 62n, 1.5, null]
    const [yes, blob, at, big, half, none] = values as [SqlValue, SqlValue, SqlValue, SqlValue, SqlValue, SqlValue]
    const rows = await read(store, ({ query }) =>
      query(sql`SELECT ${yes}::boolean AS yes, ${blob}::bytea AS bytes, ${at}::timestamptz AS day, ${big}::bigint AS big,
        ${half}::float8 AS half, ${none}::int AS none`),
    )
    assert.deepEqual(rows, [{ yes: true, bytes, day, big: 2n ** 62n, half: 1.5, none: null }])
  })

  test('a result of large values is refused before it is in memory', async (context) => {
    const store = await open(context)
    const large = sql`SELECT repeat('x', 1000000) AS text FROM generate_series(1, 500)`
    await assert.rejects(
      read(store, ({ query }) => query(large)),
      { code: 'RESULT_TOO_LARGE' },
    )
    assert.deepEqual(await read(store, ({ query }) => query(one)), [{ one: 1 }])
  })

  test('what a statement leaves in the session is gone for the next read', async (context) => {
    const store = await open(context, { poolSize: 1 })
    const name = sql<{ name: string }>`SELECT current_setting('application_name') AS name`
    await read(store, ({ query }) => query(`SELECT set_config('application_name', 'left behind', false)`))
    const [found] = await read(store, ({ query }) => query(name))
    assert.notEqual(found!.name, 'left behind')
  })

  test('a failed statement ends the read, and a lost connection is an error of the store', async (context) => {
    const store = await open(context)
    await read(store, async ({ query }) => {
      await assert.rejects(query('SELECT nonsense'), { code: 'SQL_FAILED' })
      await assert.rejects(query(one), { code: 'SQL_FAILED' })
    }).catch(() => {})
    const killed = read(store, ({ query }) => query('SELECT pg_terminate_backend(pg_backend_pid())'))
    await assert.rejects(killed, { code: 'STORE_UNAVAILABLE', retryable: true })
    assert.deepEqual(await read(store, ({ query }) => query(one)), [{ one: 1 }])
  })
})
