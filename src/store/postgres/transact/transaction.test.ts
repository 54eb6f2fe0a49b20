/** Steps with work of their own, beyond what the conformance kit checks on every store with SQL. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { longEnough } from '../../../../test/support/long-enough.ts'
import {
  dropSchema,
  freshSchema,
  openStore,
  simpleCommit,
  withClient,
} from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { until } from '../../../../test/support/until.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import type { SqlTransaction, Store } from '../../store.ts'
import { quoted } from '../database/tables.ts'

type Transact = NonNullable<Store['transact']>
const transact = (store: Store, ...given: Parameters<Transact>): Promise<void> => store.transact!(...given)

await onServer('Transactions', findPostgres, (server) => {
  const open = async (context: TestContext, options = {}) => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    await openStore(context, server, { schema })
    const store = await openStore(context, server, { schema, ...options })
    const table = `${quoted(schema)}.notes`
    await withClient(server, (client) => client.query(`CREATE TABLE ${table} (id int PRIMARY KEY, note text)`))
    const notes = () =>
      withClient(server, async (client) => {
        const { rows } = await client.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)
        return rows.map(({ id }) => id)
      })
    return { schema, store, table, notes }
  }

  test('read and write values of every type', async (context) => {
    const { store } = await open(context)
    const values = [
      'ä',
      1.5,
      2n ** 60n,
      true,
      null,
      new Uint8Array([0, 255]),
      new Date('2026-02-03T04:05:06.789Z'),
    ] as const
    await transact(store, 'p', at(0), async (sql) => {
      const text = `SELECT $1::text AS text, $2::float8 AS double, $3::bigint AS big, $4::boolean AS yes, $5::int AS none,
        $6::bytea AS bytes, $7::timestamptz AS at, 7::bigint AS small, '2026-02-03'::date AS day, 'infinity'::timestamptz AS never,
        1.10::numeric AS exact, '{"a": 1}'::json AS json, timestamp '2026-02-03 04:05:06' AS plain`
      assert.deepEqual(await sql.query(text, values), [
        {
          text: 'ä',
          double: 1.5,
          big: 2n ** 60n,
          yes: true,
          none: null,
          bytes: values[5],
          at: values[6],
          small: 7,
          day: '2026-02-03',
          never: 'infinity',
          exact: '1.10',
          json: '{"a": 1}',
          plain: new Date('2026-02-03T04:05:06Z'),
        },
      ])
      return { to: at(1), rows: [] }
    })
  })

  test('refuse values that SQL does not have, and the next step works', async (context) => {
    const { store, table, notes } = await open(context)
    const [detached, detachedBuffer] = [new Uint8Array(8), Buffer.from(new ArrayBuffer(8))]
    structuredClone([], { transfer: [detached.buffer, detachedBuffer.buffer] })
    const strange: Record<string, unknown> = {
      detached,
      detachedBuffer,
      listed: [detached],
      symbol: Symbol('s'),
      code: () => 1,
      nothing: undefined,
      ...{
        date: new Date('never'),
        record: { a: 1 },
        own: {
          toPostgres: () => {
            throw new Error('mine')
          },
        },
      },
    }
    for (const [what, value] of Object.entries(strange)) {
      const refused = transact(store, 'p', at(0), async (sql) => {
        await sql.query(`INSERT INTO ${table} VALUES (1)`)
        await sql.query('SELECT $1::bytea', [value as never])
        return { to: at(1), rows: [] }
      })
      await assert.rejects(refused, { code: 'SQL_FAILED', message: /not a value of SQL|buffer was transferred/ }, what)
    }
    assert.deepEqual(await notes(), [])
    await transact(store, 'p', at(0), async (sql) => {
      await sql.query(`INSERT INTO ${table} VALUES (1)`)
      return { to: at(1), rows: [] }
    })
    assert.deepEqual(await notes(), [1])
  })

  test('use values as they are at the call of a statement', async (context) => {
    const { store } = await open(context)
    await transact(store, 'p', at(0), async (sql) => {
      const [bytes, date] = [Buffer.from('abc'), new Date('2026-02-03T00:00:00Z')]
      const text = 'SELECT encode($1::bytea, $2) AS hex, $3::timestamptz AS at, $4::int[] AS list'
      const asked = sql.query(text, [bytes, 'hex', date, [1, 2] as never])
      bytes.fill(0)
      date.setFullYear(1999)
      assert.deepEqual(await asked, [{ hex: '616263', at: new Date('2026-02-03T00:00:00Z'), list: '{1,2}' }])
      return { to: at(1), rows: [] }
    })
  })

  test('cannot be ended or split by a statement of the handler', async (context) => {
    const { store, table, notes } = await open(context)
    for (const statement of [
      'COMMIT',
      ' /* now */ commit work',
      '-- now\nEND',
      'ROLLBACK',
      'rollback work;',
      'ABORT',
      'BEGIN',
      'START TRANSACTION',
      "PREPARE TRANSACTION 'x'",
      `SELECT 1; COMMIT`,
      'DO $$ BEGIN COMMIT; END $$',
    ]) {
      const refused = transact(store, 'p', at(0), async (sql) => {
        await sql.query(`INSERT INTO ${table} VALUES (1)`)
        await sql.query(statement).catch(() => {})
        return { to: at(1), rows: [] }
      })
      await assert.rejects(refused, { code: 'SQL_FAILED' }, statement)
    }
    assert.deepEqual(await notes(), [])
    assert.deepEqual(await store.loadCheckpoint('p'), at(0))
  })

  test('may go back to a savepoint after a failed statement', async (context) => {
    const { store, table, notes } = await open(context)
    await transact(store, 'p', at(0), async (sql) => {
      await sql.query(`INSERT INTO ${table} VALUES (1)`)
      await sql.query('SAVEPOINT before')
      await assert.rejects(sql.query(`INSERT INTO ${table} VALUES (1)`), { code: 'SQL_FAILED' })
      await sql.query('ROLLBACK TO SAVEPOINT before')
      await sql.query(`INSERT INTO ${table} VALUES (2)`)
      return { to: at(1), rows: [] }
    })
    assert.deepEqual(await notes(), [1, 2])
    assert.deepEqual(await store.loadCheckpoint('p'), at(1))
  })

  test('at the same time: the second waits, and then conflicts without calling its work', async (context) => {
    const { store, table, notes } = await open(context)
    const [entered, proceed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const first = transact(store, 'p', at(0), async (sql) => {
      entered.resolve()
      await sql.query(`INSERT INTO ${table} VALUES (1)`)
      await proceed.promise
      return { to: at(1), rows: [] }
    })
    await entered.promise
    let called = false
    const second = transact(store, 'p', at(0), async () => {
      called = true
      return { to: at(2), rows: [] }
    })
    const refused = assert.rejects(second, { code: 'CHECKPOINT_CONFLICT' })
    await withClient(server, (client) =>
      until(async () => {
        const { rows } = await client.query(
          "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%begin_step%'",
        )
        return rows.length === 1
      }),
    )
    proceed.resolve()
    await Promise.all([first, refused])
    assert.equal(called, false)
    assert.deepEqual(await notes(), [1])
  })

  test('that wait too long between two statements are rolled back, and release the checkpoint', async (context) => {
    await longEnough(2000, async (timeoutMs) => {
      const { store, table, notes } = await open(context, { timeoutMs })
      const never = Promise.withResolvers<never>()
      let kept: SqlTransaction | undefined
      const lost = transact(store, 'p', at(0), async (sql) => {
        kept = sql
        await sql.query(`INSERT INTO ${table} VALUES (1)`)
        return never.promise
      })
      await assert.rejects(lost, {
        code: 'TRANSACTION_TOO_LONG',
        message: new RegExp(`still open after ${timeoutMs} ms`),
      })
      await assert.rejects(kept!.query('SELECT 1'), { code: 'SQL_FAILED' })
      await transact(store, 'p', at(0), async (sql) => {
        await sql.query(`INSERT INTO ${table} VALUES (2)`)
        return { to: at(1), rows: [] }
      })
      assert.deepEqual(await notes(), [2])
    })
  })

  test('whose connection is cut save everything or nothing', async (context) => {
    const { store, table, notes } = await open(context)
    const cut = transact(store, 'p', at(0), async (sql) => {
      await sql.query(`INSERT INTO ${table} VALUES (1)`)
      await withClient(server, (client) =>
        client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"),
      )
      await sql.query(`INSERT INTO ${table} VALUES (2)`)
      return { to: at(1), rows: [] }
    })
    await assert.rejects(cut, { code: 'STORE_UNAVAILABLE' })
    assert.deepEqual(await notes(), [])
    assert.deepEqual(await store.loadCheckpoint('p'), at(0))
  })

  test('fail if a constraint fails that is checked only at the end', async (context) => {
    const { store, table, notes } = await open(context)
    const refused = transact(store, 'p', at(0), async (sql) => {
      await sql.query(`ALTER TABLE ${table} ADD COLUMN of int REFERENCES ${table} (id) DEFERRABLE INITIALLY DEFERRED`)
      await sql.query(`INSERT INTO ${table} VALUES (1, 'a', 7)`)
      return { to: at(1), rows: [] }
    })
    await assert.rejects(refused, { code: 'SQL_FAILED', message: /COMMIT.*foreign key/ })
    assert.deepEqual(await notes(), [])
    assert.deepEqual(await store.loadCheckpoint('p'), at(0))
  })

  test('may append to the same store meanwhile', async (context) => {
    const { store, table } = await open(context)
    await transact(store, 'p', at(0), async (sql) => {
      await sql.query(`INSERT INTO ${table} VALUES (1)`)
      await store.append([simpleCommit('c')])
      return { to: at(1), rows: [] }
    })
    assert.equal(await store.head(), 1)
  })
})
