/** Waits: nothing waits for a client that has stopped, and no two transactions wait for each other. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Client, Pool } from 'pg'
import { openStore, simpleCommit, withClient } from '../../../../test/support/servers/postgres-place.ts'
import { startPostgres } from '../../../../test/support/servers/postgres-process.ts'
import { embeddedPrograms } from '../../../../test/support/servers/postgres-programs.ts'
import { findPostgres, nameOf } from '../../../../test/support/servers/postgres-server.ts'
import { type FindServer, onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { until } from '../../../../test/support/until.ts'
import { everything } from '../../range.ts'
import { postgres } from '../index.ts'

let databases = 0

await onServer('Waiting', findPostgres, (server) => {
  /** The URL of a new database for the test. */
  const ownDatabase = async (context: TestContext, settings = ''): Promise<{ readonly url: string }> => {
    const name = `waits_${process.pid}_${++databases}`
    await withClient(server, (client) => client.query(`CREATE DATABASE ${name}`))
    if (settings !== '') await withClient(server, (client) => client.query(`ALTER DATABASE ${name} SET ${settings}`))
    context.after(() => withClient(server, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`)))
    const url = new URL(server.url)
    url.pathname = name
    return { url: url.href }
  }
  /** The number of connections that wait for another transaction. */
  const waiting = async (client: Client): Promise<number> => {
    const text = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
    return (await client.query(text)).rows.length
  }
  const deadlocks = async ({ url }: { readonly url: string }): Promise<number> => {
    const text = 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'
    return Number((await withClient({ url }, (client) => client.query<{ deadlocks: string }>(text))).rows[0]!.deadlocks)
  }

  for (const level of ['serializable', 'repeatable read']) {
    test(`a client that stops at any message delays no other writer, also if transactions begin as ${level}`, async (context) => {
      const database = await ownDatabase(context, `default_transaction_isolation = '${level}'`)
      const pool = new Pool({ connectionString: database.url, max: 1 })
      context.after(() => pool.end())
      let isStopped = false
      const resume = Promise.withResolvers<void>()
      const sent: string[] = []
      pool.on('connect', (client) => {
        const query = client.query.bind(client) as (...all: unknown[]) => unknown
        const stopping = async (given: { readonly text: string }, ...more: unknown[]) => {
          sent.push(given.text)
          // This message is sent, but the next one only when the client continues.
          if (isStopped && /COMMIT/.test(given.text)) await resume.promise
          return query(given, ...more)
        }
        Object.assign(client, { query: stopping })
      })
      const stopping = await postgres(pool, { listen: false }).open({ warn: () => {}, now: () => 0 })
      context.after(() => stopping.close())
      const other = await openStore(context, database, { listen: false })
      await stopping.append([simpleCommit('a')])
      isStopped = true
      const append = stopping.append([simpleCommit('b')])
      await until(() => sent.some((text) => /append_batch/.test(text)))
      await until(async () => (await other.head()) === 2)
      assert.equal((await other.append([simpleCommit('c')]))[0]?.status, 'stored')
      resume.resolve()
      assert.equal((await append)[0]?.status, 'stored')
      const { events } = await other.readAll(everything)
      assert.deepEqual(
        events.map(({ commitId }) => commitId),
        ['a', 'b', 'c'],
      )
    })
  }

  test('batches with the same new kinds in different orders do not wait for each other in a circle', async (context) => {
    const database = await ownDatabase(context)
    const [one, other] = [await openStore(context, database), await openStore(context, database)]
    const typed = (types: readonly string[]) => types.map((type) => ({ type, data: {} }))
    await withClient(database, async (holder) => {
      await holder.query(
        "SET mneme.writing = 'on'; BEGIN; INSERT INTO mneme.kinds (aggregate, type) VALUES ('account', 'Middle')",
      )
      const a = one.append([simpleCommit('a', { events: typed(['First', 'Middle', 'Third']) })])
      const stream = { aggregate: 'account', id: 'bob' }
      const b = other.append([simpleCommit('b', { stream, events: typed(['Third', 'Middle', 'First']) })])
      await until(async () => (await waiting(holder)) === 2)
      await holder.query('ROLLBACK')
      for (const [result] of await Promise.all([a, b])) assert.equal(result?.status, 'stored')
    })
    assert.equal(await deadlocks(database), 0)
  })

  test('batches do not wait for each other in a circle if one finds a stream that the other one makes', async (context) => {
    const database = await ownDatabase(context)
    const [one, other, third] = await Promise.all([1, 2, 3].map(() => openStore(context, database)))
    const to = (id: string, commit: string) => simpleCommit(commit, { stream: { aggregate: 'account', id } })
    await third!.append([to('start', 's')])
    await withClient(database, async (holder) => {
      await holder.query(
        "SET mneme.writing = 'on'; BEGIN; INSERT INTO mneme.streams (aggregate, id) VALUES ('account', 'm')",
      )
      // It has made `a`, waits for `m`, and will find `z` there, which it has not seen.
      const b = one!.append([to('a', 'b1'), to('m', 'b2'), to('z', 'b3')])
      await until(async () => (await waiting(holder)) === 1)
      await third!.append([to('z', 'z')])
      // It has found `z`, and waits for `a`.
      const a = other!.append([to('a', 'a1'), to('z', 'a2')])
      await until(async () => (await waiting(holder)) === 2)
      await holder.query('ROLLBACK')
      for (const results of await Promise.all([a, b])) {
        for (const { status } of results) assert.equal(status, 'stored')
      }
    })
    assert.equal(await deadlocks(database), 0)
  })
})

/** A server with almost no room for notifications. */
const findCramped: FindServer = async () => {
  const installation = embeddedPrograms()
  if ('missing' in installation) return installation
  const server = await startPostgres(installation, { settings: { max_notify_queue_pages: '64' } })
  return { name: `${nameOf(installation)}, cramped`, url: server.url, control: server, close: () => server.close() }
}

await onServer('Notifications', findCramped, (server: TestServer) => {
  test('a full queue of notifications prevents no append', async (context) => {
    const store = await openStore(context, server)
    await store.append([simpleCommit('a')])
    await withClient(server, (sleeper) =>
      withClient(server, async (filler) => {
        await sleeper.query('LISTEN "noise"')
        await sleeper.query('BEGIN')
        const isFull = () =>
          filler.query(`SELECT pg_notify('noise', repeat('x', 7900) || i) FROM generate_series(1, 20) i`).then(
            () => false,
            ({ code }: { code?: string }) => code === '54000',
          )
        await until(isFull)
        for (const id of ['b', 'c']) assert.equal((await store.append([simpleCommit(id)]))[0]?.status, 'stored')
        let woken = 0
        store.onAppend(() => woken++)
        await store.append([simpleCommit('d')])
        assert.ok(woken > 0, 'its own listeners are told')
        assert.equal(await store.head(), 4)
      }),
    )
    await store.append([simpleCommit('e')])
    assert.equal(await store.head(), 5)
  })
})
