/**
 * A PostgreSQL that greets a client and ends its session in one packet, as one that is told to stop may do: an error,
 * and no more.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { postgres } from '../../src/store/postgres/index.ts'

/** A message of PostgreSQL's protocol: a letter, the length, the content. */
function messageOf(letter: string, content: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(content.length + 4)
  return Buffer.concat([Buffer.from(letter), length, content])
}

const field = (letter: string, text: string): Buffer => Buffer.from(`${letter}${text}\0`)

const authenticated = messageOf('R', Buffer.alloc(4))
const readyForQuery = messageOf('Z', Buffer.from('I'))
const dismissed = messageOf(
  'E',
  Buffer.concat([field('S', 'FATAL'), field('V', 'FATAL'), field('C', '57P01'), field('M', 'stop'), Buffer.alloc(1)]),
)

test('a session that ends in the packet in which it began is STORE_UNAVAILABLE, and does not end the process', async (context) => {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.concat([authenticated, readyForQuery, dismissed])))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  const { port } = server.address() as { port: number }
  const factory = postgres(`postgres://somebody@127.0.0.1:${port}/somewhere?sslmode=disable`, { listen: false })
  await assert.rejects(factory.open({ warn: () => {}, now: Date.now }), { code: 'STORE_UNAVAILABLE' })
})
