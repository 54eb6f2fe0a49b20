import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, type TestContext, test } from 'node:test'
import { type Link, LinkError } from '../transport.ts'
import { protocol } from '../wire.ts'
import { HttpTransport } from './http-transport.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((some) => some?.some(({ address }) => address === '::1'))
const options = { address: '127.0.0.1:0', advertise: undefined, secret: 'a secret of members' }

/** A transport that listens, and a stranger that is connected to it. `links` are those that it has accepted. */
async function stranger(context: TestContext) {
  const transport = new HttpTransport(options)
  const links: Link[] = []
  const address = await transport.listen((link) => {
    links.push(link)
    return { onText() {}, onClose() {} }
  })
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
  socket.on('error', () => {})
  context.after(() => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  return { transport, socket, links }
}

const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))

test('A free port is told to others, also with another host', async () => {
  const transport = new HttpTransport({ ...options, advertise: 'localhost:0' })
  const address = await transport.listen(() => ({ onText() {}, onClose() {} }))
  assert.match(address, /^localhost:[1-9]\d*$/)
  const link = await transport.connect(address, { onText() {}, onClose() {} }, 60_000)
  link.close()
  await transport.close()
})

test('Members talk over IPv6', { skip: !hasIpv6 && 'this machine has no IPv6' }, async () => {
  const heard = Promise.withResolvers<string>()
  const transport = new HttpTransport({ ...options, address: '[::1]:0' })
  const address = await transport.listen(() => ({ onText: heard.resolve, onClose() {} }))
  assert.match(address, /^\[::1\]:[1-9]\d*$/)
  const link = await transport.connect(address, { onText() {}, onClose() {} }, 60_000)
  link.send('hello')
  assert.equal(await heard.promise, 'hello')
  link.close()
  await transport.close()
})

test('A link that is being opened does not outlive its transport', { timeout: 600_000 }, async (t) => {
  const silent = createServer()
  t.after(() => silent.close())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise((resolve) => silent.once('connection', resolve))
  const transport = new HttpTransport(options)
  const { port } = silent.address() as AddressInfo
  const connecting = transport.connect(`127.0.0.1:${port}`, { onText() {}, onClose() {} }, 3_600_000)
  const refused = assert.rejects(connecting, LinkError)
  await accepted
  await transport.close()
  await refused
})

describe('A stranger', () => {
  test('that asks for another upgrade and breaks the connection harms nothing', async (t) => {
    const { transport, socket } = await stranger(t)
    socket.write('GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    const answer = await new Promise((resolve) => socket.once('data', resolve))
    assert.match(String(answer), /400 Bad Request/)
    socket.resetAndDestroy()
    await transport.close()
  })

  for (const [what, words] of [
    ['says nothing', ''],
    ['says half a request', 'GET /mneme/cluster HTTP/1.1\r\nHost:'],
    ['stays after a refused upgrade', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'],
  ] as const) {
    test(`that ${what} does not hold up the end`, async (t) => {
      const { transport, socket } = await stranger(t)
      const gone = closed(socket)
      if (words !== '') socket.write(words)
      socket.resume()
      await transport.close()
      await gone
    })
  }

  for (const [what, length, size] of [
    ['announces a large frame', 60_000_000, 0],
    ['sends a frame with a wrong proof', 0, 16],
  ] as const) {
    test(`that ${what} is cut off before anything is kept for it`, async (t) => {
      const { transport, socket, links } = await stranger(t)
      const gone = closed(socket)
      socket.write(
        `GET /mneme/cluster HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: mneme-cluster-${protocol}\r\nx-mneme-nonce: ${'0'.repeat(32)}\r\n\r\n`,
      )
      const answer = await new Promise((resolve) => socket.once('data', resolve))
      assert.match(String(answer), /101 Switching Protocols/)
      socket.resume()
      const head = Buffer.alloc(4 + 16)
      head.writeUInt32BE(length)
      socket.write(Buffer.concat([head, Buffer.alloc(size)]))
      await gone
      assert.equal(links.length, 0)
      await transport.close()
    })
  }
})
