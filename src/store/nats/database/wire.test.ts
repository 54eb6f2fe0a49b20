/** A connection that the driver does not bring back: the store continues with another one. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { CuttingProxy } from '../../../../test/support/servers/cutting-proxy.ts'
import { commitTo, freshPrefix, openStore } from '../../../../test/support/servers/nats-place.ts'
import { startNats } from '../../../../test/support/servers/nats-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { until } from '../../../../test/support/until.ts'
import { MnemeError } from '../../../domain/error.ts'
import type { Store } from '../../store.ts'
import { nats } from '../index.ts'

/** Far less than the driver needs to notice that a server vanished, which is six minutes. */
const soonMs = 120_000
const timeoutMs = 2000

interface OnTheWay {
  readonly proxy: CuttingProxy
  /** A store that reaches the server through the proxy. */
  readonly store: Store
  /** A store of the same events, beside the proxy. */
  readonly other: Store
}

async function openBehindProxy(context: TestContext, server: TestServer): Promise<OnTheWay> {
  const proxy = await CuttingProxy.before(server.url)
  context.after(() => proxy.close())
  const prefix = freshPrefix()
  const { store: other } = await openStore(context, server, { prefix })
  const factory = nats(proxy.url.replace(/\/$/, ''), { prefix, timeoutMs })
  const store = await factory.open({ warn: () => {}, now: () => 0 })
  context.after(() => store.close())
  return { proxy, store, other }
}

/** Something that says it is a NATS server, and refuses everybody. */
async function refuser(context: TestContext): Promise<string> {
  const info = { server_id: 'x', version: '2.15.1', max_payload: 1_048_576, headers: true, jetstream: true, proto: 1 }
  const server = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify(info)}\r\n`)
    socket.on('data', () => socket.end("-ERR 'Authorization Violation'\r\n"))
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  return `nats://127.0.0.1:${(server.address() as { port: number }).port}`
}

/** A server that accepts connections and says nothing, as one that is frozen. */
async function mute(context: TestContext) {
  const sockets = new Set<Socket>()
  let accepted = 0
  const server = createServer((socket) => {
    accepted++
    sockets.add(socket)
    socket.resume().on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { url: `nats://127.0.0.1:${port}`, accepted: () => accepted, open: () => sockets.size }
}

async function isAnswered(store: Store): Promise<boolean> {
  try {
    await store.head()
    return true
  } catch (error) {
    assert.equal((error as MnemeError).code, 'STORE_UNAVAILABLE')
    return false
  }
}

await onServer('Connections', startNats, (server) => {
  test('a store whose server vanished without a sign continues, and hears of others', async (context) => {
    const { proxy, store, other } = await openBehindProxy(context, server)
    await store.append([commitTo('a')])
    let woken = 0
    store.onAppend(() => woken++)
    proxy.silenceAll()
    const end = performance.now() + soonMs
    while (!(await isAnswered(store))) assert.ok(performance.now() < end, 'the store has a new connection')
    await store.append([commitTo('a')])
    assert.equal(await store.head(), 2)
    const before = woken
    await other.append([commitTo('b')])
    await until(() => woken > before)
  })

  test('a store that was refused for a while continues', async (context) => {
    const { proxy, store } = await openBehindProxy(context, server)
    await store.append([commitTo('a')])
    proxy.leadTo(await refuser(context))
    proxy.cutAll()
    await until(async () => {
      const error = await store.head().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      return error instanceof MnemeError && /closed connection/.test(error.message)
    })
    proxy.leadTo(server.url)
    await until(() => isAnswered(store))
    assert.equal(await store.head(), 1)
  })

  test('a store whose server vanished can be closed', async (context) => {
    const { proxy, store } = await openBehindProxy(context, server)
    proxy.silenceAll()
    const reading = store.head().catch((error: unknown) => error)
    await store.close()
    assert.ok((await reading) instanceof MnemeError)
  })

  for (const loss of ['silenceAll', 'cutAll'] as const) {
    test(`a store leaves no socket open that was never answered (${loss})`, async (context) => {
      const { proxy, store } = await openBehindProxy(context, server)
      const frozen = await mute(context)
      proxy.leadTo(frozen.url)
      proxy[loss]()
      await until(async () => !(await isAnswered(store)) && frozen.accepted() > 2)
      // The driver's next attempt and the store's.
      await until(() => frozen.open() <= 2)
      await store.close()
      await until(() => frozen.open() === 0)
    })
  }

  test('a store that could not be opened leaves no socket open', async (context) => {
    const frozen = await mute(context)
    const factory = nats(frozen.url, { prefix: freshPrefix(), timeoutMs: 200 })
    await assert.rejects(factory.open({ warn: () => {}, now: () => 0 }), { code: 'STORE_UNAVAILABLE' })
    await until(() => frozen.accepted() === 1 && frozen.open() === 0)
  })
})
