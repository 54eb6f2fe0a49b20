/**
 * Connections: which call gets one when all are in use, how many there are, and what is left behind in their sessions.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Pool } from 'pg'
import {
  dropSchema,
  freshSchema,
  openStore,
  simpleCommit,
  withClient,
} from '../../../../test/support/servers/postgres-place.ts'
import { startPostgres } from '../../../../test/support/servers/postgres-process.ts'
import { embeddedPrograms } from '../../../../test/support/servers/postgres-programs.ts'
import { findPostgres, nameOf } from '../../../../test/support/servers/postgres-server.ts'
import { type FindServer, onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { sized } from '../../../../test/support/size.ts'
import { until } from '../../../../test/support/until.ts'
import type { StoreWarning } from '../../../runtime/warning.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import { everything } from '../../range.ts'
import type { SqlTransaction, Store } from '../../store.ts'
import { postgres } from '../index.ts'

/** A server that requires a password for the role `keen`, and for no other. */
const findWithPassword: FindServer = async () => {
  const installation = embeddedPrograms()
  if ('missing' in installation) return installation
  const server = await startPostgres(installation, {
    prepare: async (data) => {
      const rules = 'host all keen 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n'
      await writeFile(join(data, 'pg_hba.conf'), rules)
    },
  })
  await withClient(server, (client) => client.query("CREATE ROLE keen LOGIN SUPERUSER PASSWORD 'secret'"))
  return {
    name: `${nameOf(installation)} with a password`,
    url: server.url,
    control: server,
    close: () => server.close(),
  }
}

/** Steps that have begun and end only when the test says so. */
async function holdSteps(store: Store, count: number, use = async (_: SqlTransaction) => {}) {
  const release = Promise.withResolvers<void>()
  let begun = 0
  const ended = Promise.all(
    Array.from({ length: count }, (_, i) =>
      store.transact!(`p${i}`, at(0), async (sql) => {
        begun++
        await use(sql)
        await release.promise
        return { to: at(1), rows: [] }
      }),
    ),
  )
  ended.catch(() => {})
  const end = () => {
    release.resolve()
    return ended
  }
  return { begun: () => begun, end }
}

const openWith = async (
  context: TestContext,
  pool: Pool,
  schema: string,
  warn: (warning: StoreWarning) => void = () => {},
) => {
  const store = await postgres(pool, { schema }).open({ warn, now: () => 0 })
  context.after(() => store.close())
  return store
}

await onServer('Connections', findPostgres, (server) => {
  const own = (context: TestContext, of: Pick<TestServer, 'url'> = server): string => {
    const schema = freshSchema()
    context.after(() => dropSchema(of, schema))
    return schema
  }
  const ownPool = (context: TestContext, max: number, more: object = {}) => {
    const pool = new Pool({ connectionString: server.url, max, ...more })
    context.after(() => pool.end())
    return pool
  }

  test('a step may call the store while it is in progress, even with a pool of one connection', async (context) => {
    const stores = [
      await openStore(context, server, { schema: own(context), poolSize: 1 }),
      await openWith(context, ownPool(context, 1), own(context)),
    ]
    for (const store of stores) {
      await store.transact!('p', at(0), async () => {
        await store.loadRows('p', ['k'])
        await store.append([simpleCommit('c')])
        return { to: at(1), rows: [] }
      })
      assert.deepEqual(await store.loadCheckpoint('p'), at(1))
    }
  })

  test('commands do not wait for steps, however many projections take steps', async (context) => {
    const pooled = ownPool(context, 3)
    const stores = [
      await openStore(context, server, { schema: own(context), poolSize: 3 }),
      await openWith(context, pooled, own(context)),
    ]
    for (const store of stores) {
      const steps = await holdSteps(store, 12)
      await until(() => steps.begun() > 0)
      const [result] = await store.append([simpleCommit('c')])
      assert.equal(result?.status, 'stored')
      assert.equal((await store.readAll(everything)).events.length, 1)
      assert.ok(steps.begun() < 12, 'there is a bound on the steps that are under way')
      await steps.end()
      assert.equal(steps.begun(), 12)
    }
  })

  test('steps that wait for their turn longer than the time limit are still done', async (context) => {
    const schema = own(context)
    await openStore(context, server, { schema })
    const timeoutMs = 2000
    const store = await openStore(context, server, { schema, poolSize: 1, timeoutMs })
    const done: string[] = []
    const step = (name: string, durationMs: number) =>
      store.transact!(name, at(0), async (sql) => {
        const end = performance.now() + durationMs
        while (performance.now() < end) await sql.query('SELECT pg_sleep(0.1)')
        done.push(name)
        return { to: at(1), rows: [] }
      })
    await Promise.all([step('long', 2 * timeoutMs), step('second', 0), step('third', 0)])
    assert.deepEqual(done, ['long', 'second', 'third'])
  })

  test('commands do not wait for reads, even if there are more reads than connections', async (context) => {
    const schema = own(context)
    const store = await openStore(context, server, { schema, poolSize: 4 })
    const stream = { aggregate: 'account', id: 'ada' }
    const events = Array.from({ length: 5000 }, () => ({ type: 'Noted', data: { text: 'x'.repeat(100) } }))
    for (let i = 0; i < 4; i++) await store.append([simpleCommit(`c${i}`, { stream, events })])
    let read = 0
    const count = sized(200, 130)
    const reads = Array.from({ length: count }, () => store.readAll(everything, { limit: 5_000 }).finally(() => read++))
    await until(() => read > 0)
    await store.append([simpleCommit('d')])
    // In line with the reads, the append would come after all but the last few, however slow the machine is.
    assert.ok(read < count - 10, `${read} of ${count} reads came first`)
    await Promise.all(reads)
  })

  test('many stores on one pool listen on one connection, hear of their own logs, and leave nothing in the pool', async (context) => {
    const told: Error[] = []
    const onWarning = (warning: Error) => told.push(warning)
    process.on('warning', onWarning)
    context.after(() => process.off('warning', onWarning))
    const application = `many_${process.pid}`
    const pool = ownPool(context, 4, { application_name: application })
    const schemas = Array.from({ length: 20 }, () => own(context))
    const stores = await Promise.all(schemas.map((schema) => openWith(context, pool, schema)))
    const woken = stores.map(() => 0)
    for (const [i, store] of stores.entries()) store.onAppend(() => woken[i]!++)
    await until(() => woken.every((count) => count > 0))
    const listening = async () => {
      const text = `SELECT FROM pg_stat_activity WHERE application_name = '${application}' AND query LIKE '%LISTEN%'`
      return (await withClient(server, (client) => client.query(text))).rows.length
    }
    assert.equal(await listening(), 1)
    const before = [...woken]
    for (const i of [3, 17]) {
      const other = await openStore(context, server, { schema: schemas[i]!, listen: false })
      await other.append([simpleCommit('c')])
      await until(() => woken[i]! > before[i]!)
    }
    assert.deepEqual(
      woken.flatMap((count, i) => (count > before[i]! ? [i] : [])),
      [3, 17],
    )
    for (const store of stores.slice(0, 19)) await store.close()
    assert.equal(await listening(), 1)
    await stores[19]!.close()
    await until(async () => (await listening()) === 0)
    assert.equal(pool.listenerCount('error'), 0)
    assert.deepEqual(told, [])
  })

  test('a store that cannot listen warns once, and still reads and writes', async (context) => {
    const role = `lonely_${process.pid}`
    await withClient(server, (client) => client.query(`CREATE ROLE ${role} LOGIN SUPERUSER CONNECTION LIMIT 0`))
    await withClient(server, (client) => client.query(`ALTER ROLE ${role} NOSUPERUSER CONNECTION LIMIT 1`))
    const schema = own(context)
    await withClient(server, (client) =>
      client.query(`CREATE SCHEMA ${client.escapeIdentifier(schema)} AUTHORIZATION ${role}`),
    )
    context.after(() => withClient(server, (client) => client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)))
    const url = new URL(server.url)
    url.username = role
    const warnings: StoreWarning[] = []
    const store = await openStore(context, { url: url.href }, { schema, poolSize: 1 }, (each) => warnings.push(each))
    store.onAppend(() => {})
    await until(() => warnings.length > 0)
    assert.equal((await store.append([simpleCommit('c')]))[0]?.status, 'stored')
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['NOT_LISTENING'],
    )
    assert.match(warnings[0]!.message, /too many connections/)
    await store.close()
  })
})

await onServer('Passwords', findWithPassword, (server) => {
  test('a pool of the caller’s whose role has a password listens as well', async (context) => {
    const { hostname, port, pathname } = new URL(server.url)
    const config = { host: hostname, port: Number(port), database: pathname.slice(1), user: 'keen' }
    const schema = freshSchema()
    for (const password of ['secret', () => 'secret', async () => 'secret']) {
      const pool = new Pool({ ...config, password, max: 2 })
      context.after(() => pool.end())
      const store = await openWith(context, pool, schema)
      const listening = Promise.withResolvers<void>()
      store.onAppend(listening.resolve)
      await listening.promise
      const heard = Promise.withResolvers<void>()
      store.onAppend(heard.resolve)
      const other = await openStore(context, server, { schema, listen: false })
      await other.append([simpleCommit(`${password}`)])
      await heard.promise
      await store.transact!('p', await store.loadCheckpoint('p'), async (sql) => {
        await sql.query('SELECT 1')
        return { to: at((await store.loadCheckpoint('p')).position + 1), rows: [] }
      })
    }
  })
})
