/** Failures: connections that break, servers that die, hang or refuse, and transactions of other programs. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import type { Client } from 'pg'
import { longEnough } from '../../../test/support/long-enough.ts'
import {
  dropSchema,
  freshSchema,
  openStore,
  simpleCommit,
  withClient,
} from '../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { sized } from '../../../test/support/size.ts'
import { until } from '../../../test/support/until.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { Commit } from '../commit.ts'
import { everything } from '../range.ts'
import type { Store } from '../store.ts'
import { loadDriver } from './database/driver.ts'
import { errorOf } from './database/failure.ts'
import { quoted } from './database/tables.ts'
import { type PostgresOptions, postgres } from './index.ts'

const whole = { limit: Number.POSITIVE_INFINITY }
const unavailable = { code: 'STORE_UNAVAILABLE', retryable: true }

const waitMsMax = 120_000

/** Appends until the outcome of the commit is known, as the kernel does. */
async function appendForSure(store: Store, commit: Commit): Promise<void> {
  await until(async () => {
    try {
      const [result] = await store.append([commit])
      return result!.status !== 'conflict'
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'STORE_UNAVAILABLE')
      return false
    }
  })
}

test('an error names a driver that is not installed', async () => {
  const missing = loadDriver(() => Promise.reject(new Error("Cannot find package 'pg'")))
  await assert.rejects(missing, { code: 'DRIVER_MISSING', message: /npm install pg/ })
})

test('options that cannot work are refused when the factory is made', () => {
  const url = 'postgres://localhost/x'
  for (const [connection, options] of [
    ['localhost', {}],
    [42, {}],
    [url, { schema: '' }],
    [url, { schema: 'pg_mine' }],
    [url, { schema: 'x'.repeat(51) }],
    [url, { schema: '$mneme$' }],
    [url, { poolSize: 0 }],
    [url, { timeoutMs: 0 }],
    [url, { listen: 'yes' }],
    [url, { migrate: 1 }],
    [url, { mayLoseOnPowerFailure: null }],
  ] as const) {
    const make = () => postgres(connection as string, options as PostgresOptions)
    assert.throws(make, { code: 'OPTION_INVALID' }, JSON.stringify([connection, options]))
  }
})

test('errors of the server are distinguished by their SQLSTATE', () => {
  const codeFor = (code: string, doing = 'appending') =>
    (errorOf('s', doing, Object.assign(new Error('no'), { severity: 'ERROR', code })) as { code?: string }).code
  assert.equal(codeFor('53100'), 'STORE_FULL')
  assert.equal(codeFor('25006'), 'STORE_READ_ONLY')
  assert.equal(codeFor('42501'), 'STORE_READ_ONLY')
  assert.equal(codeFor('42501', 'reading'), 'STORE_UNAVAILABLE')
  assert.equal(codeFor('42P01'), 'STORE_CORRUPT')
  assert.equal(codeFor('XX001', 'reading'), 'STORE_CORRUPT')
  for (const state of ['57P01', '53300', '40001', '55P03', '08006']) assert.equal(codeFor(state), 'STORE_UNAVAILABLE')
  const mine = new RangeError('mine')
  assert.equal(errorOf('s', 'appending', mine), mine)
})

await onServer('Failures', findPostgres, (server) => {
  const fresh = (context: TestContext): string => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    return schema
  }
  /** Makes the server end connections. @returns how many */
  const terminate = (client: Client, which: string) =>
    client
      .query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND ${which}`)
      .then(({ rowCount }) => rowCount ?? 0)
  const appending = "query LIKE '%append_batch%' AND wait_event_type = 'Lock'"

  test('a connection that is cut during an append leaves the outcome unknown, and repeating the append shows it', async (context) => {
    const schema = fresh(context)
    const store = await openStore(context, server, { schema })
    const batch = [simpleCommit('a'), simpleCommit('b')]
    await withClient(server, async (holder) => {
      await holder.query(`BEGIN; SELECT FROM ${quoted(schema)}.head FOR UPDATE`)
      const lost = assert.rejects(store.append(batch), unavailable)
      // On another connection, because within a transaction the view of activity does not change.
      await withClient(server, (client) => until(async () => (await terminate(client, appending)) > 0))
      await lost
      await holder.query('COMMIT')
    })
    const results = await store.append(batch)
    assert.deepEqual(
      results.map(({ status }) => status),
      ['stored', 'stored'],
    )
    assert.equal(await store.head(), 2)
  })

  test('idle connections that are cut are replaced without an error', async (context) => {
    const store = await openStore(context, server, { schema: fresh(context) })
    await store.append([simpleCommit('a')])
    await withClient(server, (client) => terminate(client, "backend_type = 'client backend'"))
    assert.equal(await store.head(), 1)
    await appendForSure(store, simpleCommit('b'))
    assert.equal(await store.head(), 2)
  })

  test('a listener whose connection is cut listens again, and hears of other stores', async (context) => {
    const schema = fresh(context)
    const store = await openStore(context, server, { schema })
    const other = await openStore(context, server, { schema, listen: false })
    let woken = 0
    store.onAppend(() => woken++)
    // Listening again counts as a notification, because one may have been missed.
    await until(() => woken === 1)
    await other.append([simpleCommit('a')])
    await until(() => woken === 2)
    await withClient(server, async (client) => {
      const listening = `query LIKE 'LISTEN%${schema.replaceAll('"', '""')}%'`
      assert.equal(await terminate(client, listening), 1)
      await until(() => woken === 3)
    })
    await other.append([simpleCommit('b')])
    await until(() => woken === 4)
  })

  test('a store works with sessions that forget prepared statements, or have a statement of the same name', async (context) => {
    const { Pool } = await import('pg')
    for (const spoil of [() => 'DISCARD ALL', (name: string) => `PREPARE ${name} AS SELECT 1`]) {
      const schema = fresh(context)
      const pool = new Pool({ connectionString: server.url, max: 1 })
      context.after(() => pool.end())
      const statements: string[] = []
      pool.on('connect', (client) => {
        const query = client.query.bind(client) as (...all: unknown[]) => unknown
        const spoiling = async (given: { readonly name?: string; readonly text: string }, ...more: unknown[]) => {
          if (given.name !== undefined) {
            statements.push(given.name)
            await query(spoil(given.name))
          }
          return query(given, ...more)
        }
        Object.assign(client, { query: spoiling })
      })
      const store = await postgres(pool, { schema, listen: false }).open({ warn: () => {}, now: Date.now })
      context.after(() => store.close())
      for (const id of ['a', 'b', 'c']) {
        const [result] = await store.append([simpleCommit(id)])
        assert.equal(result!.status, 'stored')
      }
      assert.equal((await store.readAll(everything, whole)).events.length, 3)
      assert.equal(new Set(statements).size, 1, 'it was tried, seen, and not tried again')
    }
  })

  test('without a listener a store is still correct, and its own appends wake followers', async (context) => {
    const schema = fresh(context)
    const store = await openStore(context, server, { schema, listen: false })
    const other = await openStore(context, server, { schema, listen: false })
    let woken = 0
    store.onAppend(() => woken++)
    await other.append([simpleCommit('a')])
    assert.equal(await store.head(), 1)
    await store.append([simpleCommit('b')])
    assert.equal(woken, 1)
  })

  test('a transaction that clashes with another is tried again', async (context) => {
    const schema = fresh(context)
    const store = await openStore(context, server, { schema })
    const name = quoted(schema)
    await withClient(server, (client) =>
      client.query(`CREATE SEQUENCE ${name}.tries;
        CREATE FUNCTION ${name}.clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF nextval('${name.replaceAll("'", "''")}.tries') <= 2 THEN RAISE SQLSTATE '40001'; END IF; RETURN NULL;
        END $$;
        CREATE TRIGGER clash AFTER INSERT ON ${name}.events EXECUTE FUNCTION ${name}.clash()`),
    )
    const [result] = await store.append([simpleCommit('a')])
    assert.deepEqual([result?.status, result?.sequence], ['stored', 1])
  })

  test('appends of several stores wait in line at the head, and none fails or is repeated', async () => {
    const name = `busy_${Date.now()}`
    await withClient(server, (client) => client.query(`CREATE DATABASE ${name}`))
    const url = new URL(server.url)
    url.pathname = name
    const stores = await Promise.all([1, 2, 3, 4].map(() => postgres(url.href).open({ warn: () => {}, now: () => 0 })))
    await Promise.all(
      stores.map(async (store, s) => {
        const stream = { aggregate: 'account', id: `a${s}` }
        for (let i = 0; i < 50; i++) await store.append([simpleCommit(`c${i}`, { stream, expected: i })])
      }),
    )
    const { events } = await stores[0]!.readAll(everything, whole)
    assert.deepEqual(
      events.map(({ position }) => position),
      events.map((_, i) => i + 1),
    )
    for (const store of stores) await store.close()
    await withClient(server, async (client) => {
      const counted = async () => {
        const text = 'SELECT xact_commit, xact_rollback, numbackends FROM pg_stat_database WHERE datname = $1'
        return (await client.query(text, [name])).rows[0]
      }
      await until(
        async () => Number((await counted()).numbackends) === 0 && Number((await counted()).xact_commit) >= 200,
      )
      assert.equal((await counted()).xact_rollback, '0')
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
    })
  })

  test('an id that is wrongly said to be fresh is answered as a repetition', async (context) => {
    const store = await openStore(context, server, { schema: fresh(context) })
    const first = simpleCommit('a')
    const [stored] = await store.append([first])
    const again = new Commit(first.stream, first, first.events, first.size, true)
    const other = simpleCommit('b')
    const [repeated, next] = await store.append([again, other])
    assert.deepEqual(repeated, { ...stored!, status: 'duplicate' })
    assert.deepEqual([next?.status, next?.sequence], ['stored', 2])
  })

  test('an append that waits too long for a lock gives up, and nothing is stored', async (context) => {
    await longEnough(2000, async (timeoutMs) => {
      const schema = fresh(context)
      await openStore(context, server, { schema })
      const store = await openStore(context, server, { schema, timeoutMs })
      await withClient(server, async (client) => {
        await client.query(`BEGIN; SELECT FROM ${quoted(schema)}.head FOR UPDATE`)
        await assert.rejects(store.append([simpleCommit('a')]), unavailable)
        await client.query('ROLLBACK')
      })
      assert.equal(await store.head(), 0)
      assert.equal((await store.append([simpleCommit('a')]))[0]!.status, 'stored')
    })
  })

  test('a transaction of another program that stays open delays neither appends nor reads', async (context) => {
    const schema = fresh(context)
    const store = await openStore(context, server, { schema })
    await store.append([simpleCommit('a')])
    await withClient(server, async (idle) => {
      await idle.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
      await idle.query(`CREATE TEMPORARY TABLE mine (n int)`)
      await idle.query(`SELECT count(*) FROM ${quoted(schema)}.events`)
      await idle.query('SELECT pg_current_xact_id()')
      for (let i = 0; i < 50; i++) await store.append([simpleCommit(`b${i}`)])
      const { events, examined } = await store.readAll(everything, whole)
      assert.equal(events.length, 51)
      assert.equal(examined, 51)
      const { rows } = await idle.query(`SELECT count(*) FROM ${quoted(schema)}.events`)
      assert.equal(rows[0].count, '1')
      // Old versions of rows that cannot be cleaned up meanwhile do not pile up in tables that every append reads.
      const sizes = await idle.query('SELECT pg_relation_size(t) AS size FROM unnest($1::regclass[]) t', [
        ['head', 'streams', 'kinds'].map((table) => `${quoted(schema)}.${table}`),
      ])
      assert.deepEqual(sizes.rows, Array(3).fill({ size: '8192' }))
    })
  })

  test('a read-only database is reported, and is written to again when that is possible', async () => {
    const name = `calm_${Date.now()}`
    await withClient(server, (client) => client.query(`CREATE DATABASE ${name}`))
    const url = new URL(server.url)
    url.pathname = name
    const store = await postgres(url.href).open({ warn: () => {}, now: () => 0 })
    const stored = simpleCommit('b')
    await appendForSure(store, stored)
    await withClient(server, async (client) => {
      const settle = async (value: string) => {
        await client.query(`ALTER DATABASE ${name} SET default_transaction_read_only = ${value}`)
        await terminate(client, `datname = '${name}'`)
      }
      await settle('on')
      assert.equal(await store.head(), 1)
      for (let n = 0; n < 2; n++) assert.equal((await store.findCommit(stored.stream, stored.id))?.position, 1)
      await assert.rejects(store.append([simpleCommit('a')]), { code: 'STORE_READ_ONLY' })
      await settle('off')
      await appendForSure(store, simpleCommit('a'))
      assert.equal(await store.head(), 2)
      await store.close()
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
    })
  })

  test('a store that is open and idle does not keep the process alive', async (context) => {
    const program = `
      import { postgres } from ${JSON.stringify(import.meta.resolve('./index.ts'))}
      const store = await postgres(process.argv[1], { schema: process.argv[2] }).open({ warn() {}, now: () => 0 })
      console.log(await store.head())`
    const given = ['--input-type=module', '-e', program, server.url, fresh(context)]
    const { stdout } = await promisify(execFile)(process.execPath, given, { timeout: waitMsMax })
    assert.equal(stdout, '0\n')
  })

  test('a store that is closed as soon as it listens lets the process end', async (context) => {
    const program = `
      import { postgres } from ${JSON.stringify(import.meta.resolve('./index.ts'))}
      const options = { schema: process.argv[2], timeoutMs: ${10 * waitMsMax} }
      const store = await postgres(process.argv[1], options).open({ warn() {}, now: () => 0 })
      store.onAppend(() => {})
      await store.close()`
    const given = ['--input-type=module', '-e', program, server.url, fresh(context)]
    await promisify(execFile)(process.execPath, given, { timeout: waitMsMax })
  })

  const { control } = server
  const skip = control === undefined && 'this server is somebody else’s'

  test('calls to a server that hangs fail in time, and succeed when it continues', { skip }, async (context) => {
    const schema = fresh(context)
    await openStore(context, server, { schema })
    const timeoutMs = sized(2000, 1000)
    const store = await openStore(context, server, { schema, timeoutMs })
    await appendForSure(store, simpleCommit('a'))
    control!.pause()
    try {
      await assert.rejects(store.head(), { ...unavailable, message: new RegExp(`no answer within ${timeoutMs} ms`) })
      await assert.rejects(store.append([simpleCommit('b')]), unavailable)
      await assert.rejects(store.readAll(everything), unavailable)
      await assert.rejects(store.saveStep('p', { from: at(0), to: at(1), rows: [] }), unavailable)
    } finally {
      control!.resume()
    }
    await appendForSure(store, simpleCommit('b'))
    await appendForSure(store, simpleCommit('c'))
    const { events } = await store.readAll(everything)
    assert.deepEqual(events.map(({ commitId }) => commitId).sort(), ['a', 'b', 'c'])
  })

  test('a server that is killed during appends has every acknowledged commit once', { skip }, async (context) => {
    const schema = fresh(context)
    const stores = [await openStore(context, server, { schema }), await openStore(context, server, { schema })]
    const told: string[] = []
    let isOver = false
    const writers = Array.from({ length: 8 }, async (_, w) => {
      const stream = { aggregate: 'account', id: `a${w % 3}` }
      for (let i = 0; !isOver; i++) {
        const id = `${w}-${i}`
        await appendForSure(stores[w % 2]!, simpleCommit(id, { stream }))
        told.push(id)
      }
    })
    const kills = sized(3, 1)
    for (let round = 1; round <= kills; round++) {
      await until(() => told.length > round * 60)
      await control!.kill()
      await control!.start()
    }
    await until(() => told.length > kills * 100)
    isOver = true
    await Promise.all(writers)
    const { events } = await stores[0]!.readAll(everything, whole)
    const ids = events.map(({ commitId }) => commitId)
    assert.deepEqual(
      events.map(({ position }) => position),
      ids.map((_, i) => i + 1),
    )
    assert.equal(new Set(ids).size, ids.length)
    assert.deepEqual([...told].sort(), [...ids].sort())
  })
})
