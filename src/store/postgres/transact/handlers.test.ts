/**
 * Handlers and the store: only failures that are known to come from the store are the store's, and changes of a handler
 * to its session or to the store's tables have no effect.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { longEnough } from '../../../../test/support/long-enough.ts'
import { Pot, Put } from '../../../../test/support/read-side/pots.ts'
import {
  dropSchema,
  freshSchema,
  openStore,
  simpleCommit,
  withClient,
} from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { domain, projection } from '../../../index.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import { everything } from '../../range.ts'
import type { SqlTransaction, Store } from '../../store.ts'
import { quoted } from '../database/tables.ts'
import { postgres } from '../index.ts'

const waitMsMax = 120_000

const raise = (state: string) => `DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '${state}'; END $$`
/** Every class of SQLSTATE with which a statement may fail while server and connection are well. */
const states = [
  '54000',
  '55000',
  '55P03',
  '57014',
  '40001',
  '40P01',
  '25006',
  '53200',
  '53400',
  '0A000',
  '21000',
  '22012',
]
const ownStates = ['MY001', 'P0001', 'XX000', 'ZZ999', 'MN001']

/** A step with this work. */
const step = (store: Store, work: (sql: SqlTransaction) => Promise<unknown>): Promise<void> =>
  store.transact!('p', at(0), async (sql) => {
    await work(sql)
    return { to: at(1), rows: [{ key: 'k', value: 1 }] }
  })

await onServer('Handlers', findPostgres, (server) => {
  const open = async (context: TestContext, options = {}, settings = '') => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    await openStore(context, server, { schema })
    const url = new URL(server.url)
    if (settings !== '') url.searchParams.set('options', settings)
    const store = await openStore(context, { url: url.href }, { schema, poolSize: 1, ...options })
    const table = `${quoted(schema)}.notes`
    await withClient(server, (client) => client.query(`CREATE TABLE ${table} (id int PRIMARY KEY, note text)`))
    return { schema, store, table }
  }
  const failed = { code: 'SQL_FAILED' }

  test('a statement that fails is the handler’s failure, whatever its state', async (context) => {
    const { store } = await open(context)
    for (const state of [...states, ...ownStates]) {
      let seen: unknown
      const work = async (sql: SqlTransaction) => {
        seen = await sql.query(raise(state)).catch((error: unknown) => error)
        throw seen
      }
      await assert.rejects(step(store, work), { ...failed, message: /raised/ }, state)
      assert.equal((seen as { code?: string }).code, 'SQL_FAILED', state)
      await assert.rejects(
        step(store, (sql) => sql.query(raise(state)).catch(() => {})),
        failed,
        `${state}, swallowed`,
      )
    }
    assert.deepEqual(await store.loadCheckpoint('p'), at(0))
  })

  test('a statement that failed within a savepoint, and was rolled back to it, does no harm', async (context) => {
    const { store, table } = await open(context)
    await withClient(server, async (holder) => {
      await holder.query(`INSERT INTO ${table} VALUES (1)`)
      await holder.query(`BEGIN; SELECT FROM ${table} FOR UPDATE`)
      await step(store, async (sql) => {
        for (const statement of [`SELECT FROM ${table} FOR UPDATE NOWAIT`, raise('57014'), raise('MY001')]) {
          await sql.query('SAVEPOINT before')
          await assert.rejects(sql.query(statement), failed)
          await sql.query('ROLLBACK TO SAVEPOINT before')
        }
      })
    })
    assert.deepEqual(await store.loadCheckpoint('p'), at(1))
  })

  test('a constraint that fails at the commit is the handler’s failure, whatever its state', async (context) => {
    const { store, table, schema } = await open(context)
    for (const state of ['MY001', '54000', '55000', '23514']) {
      const check = `${quoted(schema)}.check_${state.toLowerCase()}`
      await withClient(server, (client) =>
        client.query(`CREATE FUNCTION ${check}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = '${state}'; END $$;
          CREATE CONSTRAINT TRIGGER check_${state} AFTER INSERT ON ${table} DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION ${check}()`),
      )
      const work = (sql: SqlTransaction) => sql.query(`INSERT INTO ${table} VALUES (1)`)
      await assert.rejects(step(store, work), { ...failed, message: /COMMIT.*raised/ }, state)
      await withClient(server, (client) => client.query(`DROP TRIGGER check_${state} ON ${table}`))
    }
    assert.deepEqual(await store.loadRows('p', ['k']), [undefined])
  })

  test('a statement that takes too long is ended by the server, and is the handler’s failure', async (context) => {
    await longEnough(2000, async (timeoutMs) => {
      const { store } = await open(context, { timeoutMs })
      const sleeping = step(store, (sql) => sql.query('SELECT pg_sleep(600)'))
      await assert.rejects(sleeping, { ...failed, message: /statement timeout/ })
    })
    await withClient(server, async (client) => {
      const text = "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'"
      assert.equal((await client.query(text)).rows.length, 0)
    })
  })

  test('a lost connection is the store’s failure, whatever the handler does with the error', async (context) => {
    const { store } = await open(context)
    const kill = () =>
      withClient(server, (client) =>
        client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"),
      )
    const unavailable = { code: 'STORE_UNAVAILABLE' }
    const own = step(store, async (sql) => {
      await kill()
      await sql.query('SELECT 1').catch((cause: unknown) => {
        throw new RangeError('mine', { cause })
      })
    })
    await assert.rejects(own, unavailable)
    const swallowed = step(store, async (sql) => {
      await kill()
      await sql.query('SELECT 1').catch(() => {})
    })
    await assert.rejects(swallowed, unavailable)
  })

  for (const [what, fault] of Object.entries({
    'fails with a state of its own': (sql: SqlTransaction) => sql.query(raise('MY001')),
    'goes over a limit': (sql: SqlTransaction) => sql.query(raise('54000')),
    'is cancelled': (sql: SqlTransaction) => sql.query(raise('57014')),
    'swallows that a statement failed': (sql: SqlTransaction) => sql.query(raise('55000')).catch(() => {}),
    'breaks a deferred constraint': async (sql: SqlTransaction) => {
      await sql.query('CREATE TEMPORARY TABLE own (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP')
      await sql.query('INSERT INTO own VALUES (1), (1)')
    },
    'does nothing for too long': () => new Promise<never>(() => {}),
  })) {
    test(`an event whose handler ${what} is tried again and parked, and the next event is handled`, async (context) => {
      await longEnough(2000, async (timeoutMs) => {
        const schema = freshSchema()
        context.after(() => dropSchema(server, schema))
        await openStore(context, server, { schema })
        const handled: number[] = []
        let tries = 0
        const coded = projection('coded')
          .handle([Put], async (events, { transaction }) => {
            for (const { data } of events) {
              if (data.amount === 1) {
                tries++
                await fault(transaction)
              }
              handled.push(data.amount)
            }
          })
          .onFailure({ retries: 1, pauseFirstMs: 1, giveUp: 'park' })
        const store = postgres(server.url, { schema, timeoutMs })
        const log = { warn: () => {}, error: () => {}, info: () => {}, debug: () => {} }
        await using pots = await domain({ aggregates: { pot: Pot }, projections: { coded } }).start({ store, log })
        await pots.pot('a').put({ amount: 1 })
        const { position } = await pots.pot('b').put({ amount: 2 })
        await pots.coded.reached({ atLeast: position, timeoutMs: waitMsMax })
        assert.equal((await pots.projections.parked('coded')).length, 1)
        assert.ok(tries >= 2, `${tries}`)
        assert.equal(handled.at(-1), 2)
      })
    })
  }

  test('changes of a handler to its session are gone for the next handler and for everything else', async (context) => {
    const { store, table } = await open(context)
    await step(store, async (sql) => {
      for (const statement of [
        "SET client_encoding = 'LATIN1'",
        'SET search_path = pg_catalog',
        'SET synchronous_commit = off',
        "SET DateStyle = 'German'",
        "SET TimeZone = 'Asia/Tokyo'",
        'CREATE TEMPORARY TABLE left_behind (n int)',
        'SELECT pg_advisory_lock(77)',
        "SET client_encoding = 'UTF8'",
        'LISTEN something',
      ]) {
        await sql.query(statement)
      }
    })
    await store.transact!('p', at(1), async (sql) => {
      const text = `SELECT current_setting('search_path') AS path, current_setting('synchronous_commit') AS durable,
        current_setting('TimeZone') AS zone, to_regclass('left_behind') AS behind, current_setting('client_encoding') AS encoding,
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks`
      const [row] = await sql.query(text)
      const { zone, ...found } = row!
      assert.notEqual(zone, 'Asia/Tokyo')
      assert.deepEqual(found, { path: '"$user", public', durable: 'on', behind: null, encoding: 'UTF8', locks: 0 })
      await sql.query(`INSERT INTO ${table} VALUES (1, 'é')`)
      return { to: at(2), rows: [] }
    })
    const stream = { aggregate: 'account', id: 'é' }
    await store.append([simpleCommit('c', { stream })])
    assert.deepEqual((await store.readAll(everything)).events[0]!.stream, stream)
  })

  test('a handler that changes the encoding of its session cannot save texts that would be read as other texts', async (context) => {
    const { store } = await open(context)
    const refused = store.transact!('p', at(0), async (sql) => {
      await sql.query("SET client_encoding = 'LATIN1'")
      return { to: at(1), rows: [{ key: 'é', value: 'é' }] }
    })
    await assert.rejects(refused, { ...failed, message: /encoding/ })
    assert.deepEqual(await store.loadCheckpoint('p'), at(0))
  })

  test('a step is durable even if its handler has turned that off', async (context) => {
    const { store, schema } = await open(context)
    // A constraint that is checked at the commit records the setting there.
    await withClient(server, (client) =>
      client.query(`CREATE TABLE ${quoted(schema)}.noted (setting text);
        CREATE FUNCTION ${quoted(schema)}.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO ${quoted(schema)}.noted VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER note AFTER INSERT ON ${quoted(schema)}.notes DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION ${quoted(schema)}.note()`),
    )
    await step(store, async (sql) => {
      await sql.query('SET LOCAL synchronous_commit = off')
      await sql.query(`INSERT INTO ${quoted(schema)}.notes VALUES (1)`)
    })
    const { rows } = await withClient(server, (client) => client.query(`SELECT setting FROM ${quoted(schema)}.noted`))
    assert.deepEqual(rows, [{ setting: 'on' }])
  })

  test('a handler cannot write to the store’s tables: the log, checkpoints, rows, snapshots, leases', async (context) => {
    const { store, schema } = await open(context)
    await store.append([simpleCommit('c', { events: [{ type: 'Deposited', data: {}, tags: ['gift'] }] })])
    await store.saveStep('other', { from: at(0), to: at(1), rows: [{ key: 'k', value: 1 }] })
    await store.acquireLease('l', 'me', 60_000)
    const name = quoted(schema)
    for (const statement of [
      `UPDATE ${name}.projections SET position = 7`,
      `INSERT INTO ${name}.projections VALUES ('q', 7, 0, '{}')`,
      `DELETE FROM ${name}.projections`,
      `TRUNCATE ${name}.projections`,
      `DELETE FROM ${name}.projection_rows`,
      `UPDATE ${name}.projection_rows SET value = '2'`,
      `UPDATE ${name}.leases SET owner = 'you'`,
      `DELETE FROM ${name}.leases`,
      `INSERT INTO ${name}.events SELECT 1000, stream, 2, recorded_at, revision, command_digest, kind, size, checksum,
        commit_size, commit_checksum, 'other', command, data, metadata, tags FROM ${name}.events`,
      `INSERT INTO ${name}.event_tags VALUES ('gift', 1000)`,
      `INSERT INTO ${name}.streams (aggregate, id) VALUES ('a', 'i')`,
      `INSERT INTO ${name}.kinds (aggregate, type) VALUES ('a', 't')`,
      `INSERT INTO ${name}.reservations VALUES ('a', 'i', 'me', 1)`,
      `INSERT INTO ${name}.snapshots VALUES ('a', 'i', 1, 1, 1, 1, '', '{}')`,
      `UPDATE ${name}.meta SET value = 99`,
    ]) {
      await assert.rejects(
        step(store, (sql) => sql.query(statement)),
        { ...failed, message: /the store/ },
        statement,
      )
    }
    assert.equal(await store.head(), 1)
    assert.deepEqual(await store.loadCheckpoint('other'), at(1))
    await store.releaseLease('l', 'me')
    assert.equal((await store.acquireLease('l', 'you', 1000)).owner, 'you')
  })

  test('values are read correctly, whatever the settings of the role are', async (context) => {
    const settings =
      '-c bytea_output=escape -c DateStyle=German,DMY -c extra_float_digits=-15 -c IntervalStyle=sql_standard -c TimeZone=Asia/Kolkata'
    const { store } = await open(context, {}, settings)
    await step(store, async (sql) => {
      const bytes = new Uint8Array([0, 92, 255])
      const text = `SELECT $1::bytea AS bytes, $2::timestamptz AS at, 0.1::float8 + 0.2::float8 AS sum, 1.1::real AS real,
        timestamp '2026-02-03 04:05:06' AS plain, '2026-02-03'::date AS day, interval '1 day 2 hours' AS while`
      const [row] = await sql.query(text, [bytes, new Date('2026-02-03T04:05:06.789Z')])
      assert.deepEqual(row, {
        bytes,
        at: new Date('2026-02-03T04:05:06.789Z'),
        sum: 0.1 + 0.2,
        real: 1.1,
        plain: new Date('2026-02-03T04:05:06Z'),
        day: '2026-02-03',
        while: '1 day 02:00:00',
      })
    })
  })
})
