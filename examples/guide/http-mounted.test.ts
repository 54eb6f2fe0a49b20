/** The code of docs/guide/http.md that mounts a service in servers, run over real sockets. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { http } from '../../src/http/index.ts'
import { Bank } from '../bank/bank.ts'

const portOf = (server: Server): number => (server.address() as AddressInfo).port

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

/** Uses a service as its clients do: over a socket, with answers good and bad. */
async function assertServes(port: number, base: string): Promise<void> {
  const at = `http://127.0.0.1:${port}${base}/aggregates/account`
  const post = (path: string, body: string) =>
    fetch(`${at}/${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
  const opened = await post('a%2Fb/open', '{"owner":"Ada"}')
  assert.deepEqual([opened.status, opened.headers.get('etag')], [200, '"1"'])
  assert.equal((await post('a%2Fb/open', '{"owner":"Ada"}')).status, 422)
  assert.equal((await post('a%2Fb/open', '{"owner":')).status, 400)
  // A client that still sends when it is answered may find the connection closed.
  const huge = post('a%2Fb/open', `{"owner":"${'x'.repeat(2_000_000)}"}`)
  assert.ok([413, 'closed'].includes(await huge.then(({ status }) => status).catch(() => 'closed')))
  assert.equal((await fetch(`${at}/a%2Fb`)).status, 200)
  assert.equal((await fetch(`${at}/%zz`)).status, 400)
  assert.equal((await fetch(`http://127.0.0.1:${port}${base}/nowhere`)).status, 404)
  const list = (await (await fetch(at)).json()) as { ids: readonly string[] }
  assert.deepEqual(list.ids, ['a/b'])
  // Bytes that no client sends.
  const socket = connect(port, '127.0.0.1')
  socket.end(`GET ${base}/aggregates/account/../../x HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n`)
  assert.match(await text(socket), /^HTTP\/1\.1 4\d\d /)
}

test("a service is mounted in Node's own server", async () => {
  await using bank = await Bank.start()
  // #region node
  const server = createServer(getRequestListener(http(bank)))
  server.listen(0)
  // #endregion
  await assertServes(portOf(server), '').finally(() => closed(server))
})

test('a service is mounted in Express', async () => {
  await using bank = await Bank.start()
  // #region express
  const app = express()
  app.use('/api', getRequestListener(http(bank))) // before express.json(), which would read the bodies
  app.use(express.json())
  // #endregion
  const server = app.listen(0)
  await assertServes(portOf(server), '/api').finally(() => closed(server))
})

test('a service is mounted in Fastify', async () => {
  await using bank = await Bank.start()
  // #region fastify
  const fastify = Fastify()
  const listener = getRequestListener(http(bank, { basePath: '/api' }))
  await fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers() // the service reads the bodies itself
    scope.addContentTypeParser('*', (_request, _body, done) => done(null))
    scope.all('/api/*', (request, reply) => {
      reply.hijack()
      void listener(request.raw, reply.raw)
    })
  })
  // #endregion
  await fastify.listen({ port: 0 })
  await assertServes(portOf(fastify.server), '/api').finally(() => closed(fastify.server))
  await fastify.close()
})
