/** What opening checks: the server, and that the streams are exactly those that the promises need. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect } from '@nats-io/transport-node'
import { dropStreams, freshPrefix, openDatabaseOf, openStore } from '../../../../test/support/servers/nats-place.ts'
import { findNats } from '../../../../test/support/servers/nats-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import type { StoreWarning } from '../../../runtime/warning.ts'
import { nats } from '../index.ts'

const opening = { warn: () => {}, now: () => 0 }

/** Something that says it is a NATS server of a version. */
async function pretender(context: TestContext, version: string, jetstream: boolean): Promise<string> {
  const info = { server_id: 'x', version, max_payload: 1_048_576, headers: true, jetstream, proto: 1 }
  const server = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify(info)}\r\n`)
    socket.on('data', (data) => {
      if (data.toString().includes('PING')) socket.write('PONG\r\n')
    })
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  context.after(() => server.close())
  return `nats://127.0.0.1:${(server.address() as { port: number }).port}`
}

test('a server that is too old is refused with the reason', async (t) => {
  for (const version of ['2.15.0', '2.12.1', '2.9.25', '1.99.99']) {
    const url = await pretender(t, version, true)
    await assert.rejects(nats(url).open(opening), { code: 'STORE_NOT_MIGRATED', message: /lost updates/ })
  }
})

test('a server without JetStream is refused', async (t) => {
  for (const version of ['2.15.1', '2.16.0', '3.0.0-beta.1']) {
    const url = await pretender(t, version, false)
    await assert.rejects(nats(url).open(opening), { code: 'STORE_NOT_MIGRATED', message: /without JetStream/ })
  }
})

test('no server at all is STORE_UNAVAILABLE', async () => {
  await assert.rejects(nats('nats://127.0.0.1:1', { timeoutMs: 500 }).open(opening), { code: 'STORE_UNAVAILABLE' })
})

await onServer('Opening a store on NATS', findNats, (server) => {
  test('many processes may make the streams at the same time', async (t) => {
    const prefix = freshPrefix()
    await Promise.all(Array.from({ length: 8 }, () => openStore(t, server, { prefix })))
  })

  test('with migrate: false, missing streams are refused and not made', async (t) => {
    const prefix = freshPrefix()
    const closed = nats(server.url, { prefix, migrate: false })
    await assert.rejects(closed.open(opening), { code: 'STORE_NOT_MIGRATED' })
    await assert.rejects(closed.open(opening), { code: 'STORE_NOT_MIGRATED' })
    await openStore(t, server, { prefix })
    await (await closed.open(opening)).close()
  })

  test('streams with other settings, or of another program, are refused', async (t) => {
    const { prefix, store } = await openStore(t, server)
    await store.close()
    const { connection } = await openDatabaseOf(t, server)
    const name = `${prefix}_log`
    const { config } = await connection.api<{ config: Record<string, unknown> }>(`STREAM.INFO.${name}`)
    const refused = async (change: object, facts: { readonly code: string; readonly message: RegExp }) => {
      await connection.api(`STREAM.UPDATE.${name}`, { ...config, ...change })
      await assert.rejects(nats(server.url, { prefix }).open(opening), facts)
      await connection.api(`STREAM.UPDATE.${name}`, config)
    }
    await refused({ max_age: 3.6e12 }, { code: 'STORE_NOT_MIGRATED', message: /max_age/ })
    await refused({ allow_direct: false }, { code: 'STORE_NOT_MIGRATED', message: /allow_direct/ })
    await refused({ compression: 's2' }, { code: 'STORE_NOT_MIGRATED', message: /compression/ })
    await refused({ metadata: {} }, { code: 'STORE_NOT_MIGRATED', message: /did not make/ })
    await refused({ metadata: { mneme_format: '2' } }, { code: 'STORE_TOO_NEW', message: /format 2/ })
    await (await nats(server.url, { prefix }).open(opening)).close()
  })

  test('a single server is warned about', async (t) => {
    const prefix = freshPrefix()
    const warnings: StoreWarning[] = []
    const store = await nats(server.url, { prefix }).open({ ...opening, warn: (warning) => warnings.push(warning) })
    t.after(() => dropStreams(server, prefix))
    await store.close()
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['DURABILITY_WEAKENED'],
    )
  })

  test('a connection of the caller is used, and stays open', async (t) => {
    const connection = await connect({ servers: new URL(server.url).host })
    t.after(() => connection.close())
    const prefix = freshPrefix()
    t.after(() => dropStreams(server, prefix))
    const store = await nats(connection, { prefix }).open(opening)
    assert.equal(await store.head(), 0)
    await store.close()
    await connection.flush()
  })
})
