/** The tables: how they are made, what people can read from them, and what is prevented. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Pool } from 'pg'
import {
  dropSchema,
  freshSchema,
  openStore,
  simpleCommit,
  withClient,
} from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import { commit } from '../../commit.ts'
import { everything } from '../../range.ts'
import { migrationSql, type PostgresPool, postgres } from '../index.ts'
import { schemaVersion } from './migration.ts'
import { quoted } from './tables.ts'

const opening = { warn: () => {}, now: () => 0 }

await onServer('The tables', findPostgres, (server) => {
  /** A schema that is dropped after the test. */
  const own = (context: TestContext): string => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    return schema
  }
  const sql = (text: string) => withClient(server, (client) => client.query(text))

  test('are made once if ten stores are opened at once', async (context) => {
    const schema = own(context)
    const stores = await Promise.all(Array.from({ length: 10 }, () => openStore(context, server, { schema })))
    const results = await Promise.all(stores.map((store, i) => store.append([simpleCommit(`c${i}`)])))
    assert.deepEqual(
      results.map(([result]) => result!.status),
      Array(10).fill('stored'),
    )
    const { rows } = await sql(`SELECT name, value FROM ${quoted(schema)}.meta ORDER BY name`)
    assert.deepEqual(rows, [
      { name: 'format_version', value: '2' },
      { name: 'schema_version', value: `${schemaVersion}` },
    ])
  })

  test('of two stores in one database are independent', async (context) => {
    const [a, b] = [
      await openStore(context, server, { schema: own(context) }),
      await openStore(context, server, { schema: own(context) }),
    ]
    await a.append([simpleCommit('c')])
    assert.equal(await a.head(), 1)
    assert.equal(await b.head(), 0)
    let woken = 0
    const { promise: listening, resolve } = Promise.withResolvers<void>()
    b.onAppend(resolve)
    await listening
    b.onAppend(() => woken++)
    await a.append([simpleCommit('d')])
    await b.append([simpleCommit('c')])
    assert.equal(woken, 1)
  })

  test('can be made by the SQL of migrationSql, in a schema that exists or not', async (context) => {
    for (const create of [false, true]) {
      const schema = own(context)
      if (create) await sql(`CREATE SCHEMA ${quoted(schema)}`)
      await sql(migrationSql({ schema }))
      const store = await openStore(context, server, { schema, migrate: false })
      assert.equal((await store.append([simpleCommit('c')]))[0]!.status, 'stored')
    }
  })

  test('are named in the error if the store may not make them', async (context) => {
    const schema = own(context)
    await assert.rejects(postgres(server.url, { schema, migrate: false }).open(opening), {
      code: 'STORE_NOT_MIGRATED',
      message: /no tables, and migrate is false.*migrationSql/,
    })
    const { rows } = await sql(`SELECT FROM pg_namespace WHERE nspname = '${schema}'`)
    assert.equal(rows.length, 0)
  })

  test('of version 2 get what is new, by the store or by the SQL of migrationSql', async (context) => {
    for (const migrate of [true, false]) {
      const schema = own(context)
      const before = await openStore(context, server, { schema })
      await before.append([simpleCommit('c')])
      await before.close()
      await sql(`DROP FUNCTION ${quoted(schema)}.list_streams;
        SET mneme.writing = 'on'; UPDATE ${quoted(schema)}.meta SET value = 2 WHERE name = 'schema_version'`)
      if (!migrate) {
        await assert.rejects(postgres(server.url, { schema, migrate }).open(opening), { code: 'STORE_NOT_MIGRATED' })
        await sql(migrationSql({ schema, from: 2 }))
      }
      const store = await openStore(context, server, { schema, migrate })
      assert.equal((await store.listStreams('account', { limit: 10 })).ids.length, 1)
      const { rows } = await sql(`SELECT value FROM ${quoted(schema)}.meta WHERE name = 'schema_version'`)
      assert.deepEqual(rows, [{ value: `${schemaVersion}` }])
    }
  })

  test('of a newer version are refused, and not changed', async (context) => {
    const schema = own(context)
    await (await postgres(server.url, { schema }).open(opening)).close()
    await sql(`SET mneme.writing = 'on'; UPDATE ${quoted(schema)}.meta SET value = 99 WHERE name = 'schema_version'`)
    await assert.rejects(postgres(server.url, { schema }).open(opening), {
      code: 'STORE_TOO_NEW',
      facts: { store: `postgres (schema ${schema})`, version: 99, known: schemaVersion },
    })
  })

  test('of an older format are refused, and not changed', async (context) => {
    const schema = own(context)
    await (await postgres(server.url, { schema }).open(opening)).close()
    await sql(`SET mneme.writing = 'on'; UPDATE ${quoted(schema)}.meta SET value = 1`)
    await assert.rejects(postgres(server.url, { schema }).open(opening), {
      code: 'STORE_TOO_OLD',
      facts: { store: `postgres (schema ${schema})`, version: 1, known: 2 },
    })
    const { rows } = await sql(`SELECT DISTINCT value FROM ${quoted(schema)}.meta`)
    assert.deepEqual(rows, [{ value: '1' }])
  })

  test('without an index, a trigger or a function are refused with its name', async (context) => {
    for (const [drop, name] of [
      ['DROP INDEX @.events_by_commit', 'events_by_commit'],
      ['ALTER TABLE @.events DROP CONSTRAINT events_pkey', 'events_pkey'],
      ['DROP TRIGGER events_are_kept ON @.events', 'events_are_kept'],
      ['ALTER TABLE @.events DISABLE TRIGGER events_are_kept', 'events_are_kept'],
      ['DROP FUNCTION @.judge_commits', 'judge_commits'],
    ] as const) {
      const schema = own(context)
      await sql(migrationSql({ schema }))
      await sql(drop.replaceAll('@', quoted(schema)))
      const missing = new RegExp(`missing: ${name}`)
      await assert.rejects(postgres(server.url, { schema }).open(opening), { code: 'STORE_CORRUPT', message: missing })
    }
  })

  test('of another program are not changed', async (context) => {
    for (const [table, columns] of [
      ['events', 'mine text'],
      ['meta', 'mine text'],
      ['meta', 'name text, value text'],
    ] as const) {
      const schema = own(context)
      await sql(`CREATE SCHEMA ${quoted(schema)}; CREATE TABLE ${quoted(schema)}.${table} (${columns})`)
      await assert.rejects(postgres(server.url, { schema }).open(opening), {
        code: 'STORE_NAMES_TAKEN',
        retryable: false,
        message: new RegExp(`already in use: ${table}`),
      })
    }
  })

  test('can be used by a role that may not make tables', async (context) => {
    const schema = own(context)
    const role = `worker_${Date.now()}`
    const name = quoted(schema)
    await sql(`${migrationSql({ schema })}
      CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA ${name} TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${name} TO ${role};
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${name} TO ${role}`)
    context.after(() => sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
    const url = new URL(server.url)
    url.username = role
    const store = await openStore(context, { url: url.href }, { schema })
    assert.equal((await store.append([simpleCommit('c', { expected: 'none' })]))[0]!.status, 'stored')
    await store.saveStep('p', { from: at(0), to: at(1), rows: [{ key: 'k', value: 1 }] })
    await store.saveSnapshot(
      {
        stream: { aggregate: 'a', id: 'i' },
        sequence: 1,
        stateRevision: 1,
        checksum: 1,
        fingerprint: '',
        state: {},
        takenAt: 0,
      },
      { keep: 1 },
    )
    assert.equal((await store.acquireLease('l', 'me', 1000)).owner, 'me')
    await store.releaseLease('l', 'me')
    await assert.rejects(postgres(url.href, { schema: own(context) }).open(opening), { code: 'STORE_READ_ONLY' })
  })

  test('refuse writes of a role that may only read, with an error that says so', async (context) => {
    const schema = own(context)
    const role = `reader_${Date.now()}`
    const name = quoted(schema)
    await sql(`${migrationSql({ schema })}
      CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA ${name} TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${name} TO ${role}`)
    context.after(() => sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
    const url = new URL(server.url)
    url.username = role
    const store = await openStore(context, { url: url.href }, { schema })
    assert.equal(await store.head(), 0)
    await assert.rejects(store.append([simpleCommit('c')]), { code: 'STORE_READ_ONLY' })
  })

  test('answer every question of a role that may only read', async (context) => {
    const schema = own(context)
    const writer = await openStore(context, server, { schema })
    const [stored] = await writer.append([simpleCommit('c')])
    const role = `onlooker_${Date.now()}`
    await sql(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA ${quoted(schema)} TO ${role};
      GRANT SELECT ON ALL TABLES IN SCHEMA ${quoted(schema)} TO ${role}`)
    context.after(() => sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`))
    const url = new URL(server.url)
    url.username = role
    const store = await openStore(context, { url: url.href }, { schema })
    const stream = { aggregate: 'account', id: 'ada' }
    const { status, ...receipt } = stored!
    assert.equal(status, 'stored')
    assert.partialDeepStrictEqual(await store.findCommit(stream, 'c'), receipt)
    assert.equal(await store.findCommit(stream, 'd'), undefined)
    assert.deepEqual(await store.streamEnds([stream]), await writer.streamEnds([stream]))
    assert.deepEqual(await store.readStream(stream, everything), (await writer.readAll(everything)).events)
    assert.deepEqual(
      await store.listStreams('account', { limit: 10 }),
      await writer.listStreams('account', { limit: 10 }),
    )
    assert.deepEqual(await store.loadCheckpoint('p'), await writer.loadCheckpoint('p'))
    assert.deepEqual(await store.listRows('p', { limit: 10 }), { rows: [] })
    assert.equal(await store.loadSnapshot(stream), undefined)
  })

  test('keep events: they cannot be changed or deleted in plain SQL', async (context) => {
    const schema = own(context)
    const store = await openStore(context, server, { schema })
    await store.append([simpleCommit('c', { events: [{ type: 'Deposited', data: {}, tags: ['gift'] }] })])
    for (const change of [
      "UPDATE @.events SET data = '{}'",
      'DELETE FROM @.events',
      'TRUNCATE @.events',
      "UPDATE @.event_tags SET tag = 'theft'",
      'DELETE FROM @.event_tags',
      "UPDATE @.streams SET id = 'eve'",
      "UPDATE @.kinds SET type = 'Stolen'",
      'DELETE FROM @.head',
    ]) {
      await assert.rejects(sql(change.replaceAll('@', quoted(schema))), /never changed or deleted/, change)
    }
    assert.equal((await store.readAll(everything)).events.length, 1)
  })

  test('are easy to read in plain SQL', async (context) => {
    const schema = own(context)
    const store = await openStore(context, server, { schema })
    const events = [
      { type: 'Opened', data: { owner: 'Ada' }, tags: ['gift', 'new'] },
      { type: 'Deposited', data: { amount: 5 }, revision: 2, metadata: { user: 'ada' } },
    ]
    const stream = { aggregate: 'account', id: 'ada' }
    const recordedAt = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
    await store.append([commit({ stream, expected: 'none', id: 'c', recordedAt, events })])
    const { rows } =
      await sql(`SELECT type, revision, sequence, data ->> 'amount' AS amount, metadata, tags, recorded_at
      FROM ${quoted(schema)}.event_log ORDER BY position`)
    const shared = { recorded_at: new Date(recordedAt) }
    assert.deepEqual(rows, [
      { ...shared, type: 'Opened', revision: '1', sequence: '1', amount: null, metadata: {}, tags: ['gift', 'new'] },
      { ...shared, type: 'Deposited', revision: '2', sequence: '2', amount: '5', metadata: { user: 'ada' }, tags: [] },
    ])
  })

  test('allow queries on rows of a projection in plain SQL, whatever other rows hold', async (context) => {
    const schema = own(context)
    const store = await openStore(context, server, { schema })
    const rows = [
      { key: 'ada', value: { balance: 7 } },
      { key: 'eve', value: { balance: 5, note: '\0' } },
      { key: 'bob', value: { balance: 3 } },
    ]
    await store.saveStep('balances', { from: at(0), to: at(3), rows })
    const found = await sql(`SELECT sum((value ->> 'balance')::int) AS sum FROM ${quoted(schema)}.projection_rows`)
    assert.equal(found.rows[0].sum, '10')
    assert.deepEqual(await store.loadRows('balances', ['eve']), [{ balance: 5, note: '\0' }])
  })

  test('are reached through a pool of the caller, which stays open', async (context) => {
    const pool = new Pool({ connectionString: server.url, max: 2 })
    context.after(() => pool.end())
    const shared: PostgresPool = pool
    const schema = own(context)
    const store = await postgres(shared, { schema }).open(opening)
    await Promise.all(Array.from({ length: 5 }, (_, i) => store.append([simpleCommit(`c${i}`)])))
    assert.equal(await store.head(), 5)
    await store.close()
    assert.equal((await pool.query('SELECT 1 AS one')).rows[0].one, 1)
    assert.equal(pool.listenerCount('error'), 0)
  })

  test('are reached by options for a connection', async (context) => {
    const { hostname, port, username, pathname } = new URL(server.url)
    const config = { host: hostname, port: Number(port), user: username, database: pathname.slice(1) }
    const schema = own(context)
    const store = await postgres({ ...config, application_name: 'bank' }, { schema }).open(opening)
    context.after(() => store.close())
    assert.equal(await store.head(), 0)
    const connections = async () => {
      const { rows } = await sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bank'")
      return Number(rows[0].count)
    }
    assert.equal(await connections(), 1)
    const { promise: listening, resolve } = Promise.withResolvers<void>()
    store.onAppend(resolve)
    await listening
    assert.equal(await connections(), 2, 'who wants to hear of what others append gets a connection for it')
  })

  test('of a database in another encoding are refused', async (context) => {
    const name = `latin_${Date.now()}`
    await sql(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`)
    context.after(() => sql(`DROP DATABASE ${name}`))
    const url = new URL(server.url)
    url.pathname = name
    await assert.rejects(postgres(url.href).open(opening), { code: 'OPTION_INVALID', message: /UTF8/ })
  })

  test('are written durably even if the default of the database is not durable, and weakly only if the option says so', async (context) => {
    const name = `weak_${Date.now()}`
    await sql(`CREATE DATABASE ${name}`)
    await sql(`ALTER DATABASE ${name} SET synchronous_commit = off`)
    context.after(() => sql(`DROP DATABASE ${name} WITH (FORCE)`))
    const url = new URL(server.url)
    url.pathname = name
    const warnings: string[] = []
    const warn = ({ code }: { readonly code: string }) => warnings.push(code)
    await (await postgres(url.href).open({ warn, now: () => 0 })).close()
    assert.deepEqual(warnings, [])
    await (await postgres(url.href, { mayLoseOnPowerFailure: true }).open({ warn, now: () => 0 })).close()
    assert.deepEqual(warnings, ['DURABILITY_WEAKENED'])
    await withClient({ url: url.href }, async (client) => {
      for (const [durable, expected] of [
        [true, 'on'],
        [false, 'off'],
      ] as const) {
        await client.query('BEGIN')
        await client.query('SELECT mneme.begin_step($1, $2, $3)', [durable, '1s', 'p'])
        const { rows } = await client.query('SHOW synchronous_commit')
        await client.query('ROLLBACK')
        assert.equal(rows[0].synchronous_commit, expected)
      }
    })
  })

  test('are appended to correctly if transactions begin as serializable by default', async (context) => {
    const name = `strict_${Date.now()}`
    await sql(`CREATE DATABASE ${name}`)
    await sql(`ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`)
    context.after(() => sql(`DROP DATABASE ${name} WITH (FORCE)`))
    const url = new URL(server.url)
    url.pathname = name
    const stores = await Promise.all([1, 2, 3].map(() => postgres(url.href).open(opening)))
    const appends = stores.flatMap((store, s) =>
      Array.from({ length: 10 }, (_, i) => store.append([simpleCommit(`c${s}-${i}`)])),
    )
    for (const [result] of await Promise.all(appends)) assert.equal(result!.status, 'stored')
    const { events } = await stores[0]!.readAll(everything)
    assert.deepEqual(
      events.map(({ position }) => position),
      Array.from({ length: 30 }, (_, i) => i + 1),
    )
    for (const store of stores) await store.close()
  })
})
