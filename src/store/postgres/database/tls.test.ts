/** Connections by TLS: URLs and options that ask for it, on a server that accepts nothing else. */
import assert from 'node:assert/strict'
import { copyFile, readFile, rm } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { freshSchema, openStore, simpleCommit, withClient } from '../../../../test/support/servers/postgres-place.ts'
import { findTlsPostgres } from '../../../../test/support/servers/postgres-tls.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { everything } from '../../range.ts'
import type { Store } from '../../store.ts'
import { postgres } from '../index.ts'

const waitMsMax = 120_000

await onServer('TLS', findTlsPostgres, (server) => {
  const { root, strangeRoot } = server
  /** The server's URL with the name in its certificate, unless another one is given. */
  const urlWith = (query: string, host = 'localhost'): string => {
    const url = new URL(server.url)
    url.hostname = host
    url.search = query
    return url.href
  }
  const refused = (message: RegExp) => ({ code: 'STORE_UNAVAILABLE', message })
  const open = (context: TestContext, query: string, host?: string): Promise<Store> =>
    openStore(context, { url: urlWith(query, host) }, { schema: freshSchema() })

  /** Uses all connections of a store. */
  async function tryAll(context: TestContext, query: string): Promise<void> {
    const application = freshSchema()
    const url = urlWith(`${query}&application_name=${encodeURIComponent(application)}`)
    const schema = freshSchema()
    const [store, other] = [
      await openStore(context, { url }, { schema }),
      await openStore(context, { url }, { schema }),
    ]
    let woken = 0
    store.onAppend(() => woken++)
    await other.append([simpleCommit('a')])
    const { events } = await store.readAll(everything)
    assert.deepEqual(
      events.map(({ commitId }) => commitId),
      ['a'],
    )
    const deadline = performance.now() + waitMsMax
    while (woken === 0) {
      assert.ok(performance.now() < deadline, 'a store hears by TLS of what another has appended')
      await setImmediate()
    }
    const text = `SELECT ssl, query LIKE 'LISTEN%' FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
      WHERE application_name = $1 GROUP BY 1, 2 ORDER BY 2`
    const { rows } = await withClient(server, (client) =>
      client.query({ text, values: [application], rowMode: 'array' }),
    )
    const [statements, listening] = [
      [true, false],
      [true, true],
    ]
    assert.deepEqual(rows, [statements, listening], 'every connection is one by TLS')
  }

  for (const query of [
    `?sslmode=verify-full&sslrootcert=${root}`,
    `?sslmode=require&sslrootcert=${root}`,
    `?sslmode=verify-full&sslrootcert=${root}&sslnegotiation=direct`,
    '?sslmode=no-verify',
    '?sslmode=require&uselibpqcompat=true',
  ]) {
    test(`a store works by ${query.replace(root, 'root.crt')}`, (context) => tryAll(context, query))
  }

  test('a store works by options for a connection', async (context) => {
    const { hostname, port, username, pathname } = new URL(urlWith(''))
    const at = { host: hostname, port: Number(port), user: username, database: pathname.slice(1) }
    const factory = postgres({ ...at, ssl: { ca: await readFile(root, 'utf8') } }, { schema: freshSchema() })
    const store = await factory.open({ warn: () => {}, now: () => 0 })
    context.after(() => store.close())
    assert.equal((await store.append([simpleCommit('a')]))[0]!.status, 'stored')
  })

  test('a server whose certificate the root has not signed is refused in every mode', async (context) => {
    for (const query of [
      `?sslmode=verify-full&sslrootcert=${strangeRoot}`,
      '?sslmode=verify-full',
      '?sslmode=require',
    ]) {
      await assert.rejects(open(context, query), refused(/opening it \(.*certificate/), query)
    }
  })

  test('a server whose certificate is for another name is refused', async (context) => {
    const query = `?sslmode=verify-full&sslrootcert=${root}`
    await assert.rejects(open(context, query, '127.0.0.1'), refused(/does not match certificate's altnames/))
  })

  test('a connection without TLS is refused by the server, which says so', async (context) => {
    await assert.rejects(open(context, '', '127.0.0.1'), refused(/no encryption/))
  })

  test('an error names a missing file of a root', async (context) => {
    const query = `?sslmode=verify-full&sslrootcert=${root}.gone`
    await assert.rejects(open(context, query), refused(/ENOENT.*root\.crt\.gone/))
  })

  test('a file of a root that is missing while it is replaced is looked for again', async (context) => {
    const schema = freshSchema()
    const passing = `${root}.passing`
    await copyFile(root, passing)
    const url = urlWith(`?sslmode=verify-full&sslrootcert=${passing}`)
    const store = await openStore(context, { url }, { schema })
    await rm(passing)
    // It listens from here on, on another connection.
    const woken = new Promise<void>((resolve) => {
      context.after(store.onAppend(resolve))
    })
    await copyFile(root, passing)
    await woken
  })
})
