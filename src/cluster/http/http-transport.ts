/**
 * Links over HTTP. A link begins as a request that asks for an upgrade, so that proxies and firewalls see HTTP, and is
 * a plain connection from then on. Both sides prove that they have the secret, without sending it.
 */
import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { type ClientRequest, createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { ClusterError } from '../../domain/error.ts'
import { startTimer, stopTimer } from '../../runtime/timers.ts'
import { addressOf } from '../options.ts'
import { type Link, LinkError, type LinkEvents, type Transport } from '../transport.ts'
import { protocol } from '../wire.ts'
import { FrameReader, FrameWriter, type Side } from './frames.ts'

const path = '/mneme/cluster'
const upgrade = `mneme-cluster-${protocol}`
const nonceHeader = 'x-mneme-nonce'
const proofHeader = 'x-mneme-proof'
/** How long the last words of a link may take. */
const closeMsMax = 1000
/** How long a connection may take to prove that it is a member. */
const proofMsMax = 5000

interface HttpTransportOptions {
  readonly address: string
  readonly advertise: string | undefined
  readonly secret: string
}

export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions
  readonly #sockets = new Set<Socket>()
  /** Sockets that asked for another upgrade, until they are closed. */
  readonly #refused = new Set<Socket>()
  /** Requests for links that were not answered yet. */
  readonly #asking = new Set<ClientRequest>()
  #server: Server | undefined

  constructor(options: HttpTransportOptions) {
    this.#options = options
  }

  async listen(accept: (link: Link) => LinkEvents): Promise<string> {
    const { address, advertise } = this.#options
    const { host, port } = addressOf(address)
    const server = createServer((_, response) => {
      response.writeHead(426, { connection: 'upgrade', upgrade }).end('Only members of the cluster connect here.\n')
    })
    this.#server = server
    // Connections of strangers must not keep the process alive.
    server.on('connection', (socket) => socket.unref())
    server.on('upgrade', (incoming, socket, head) => this.#accept(incoming, socket as Socket, head, accept))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const reason = cause.code === 'EADDRINUSE' ? 'another process uses it' : cause.message
        reject(new ClusterError('ADDRESS_UNAVAILABLE', { address, reason }, cause))
      })
      // A worker of node:cluster would share its address with the others.
      server.listen({ port, host, exclusive: true }, () => resolve())
    })
    // A connection that could not be accepted is the other side's matter: it tries again.
    server.on('error', () => {})
    server.unref()
    const bound = (server.address() as AddressInfo).port
    if (advertise !== undefined && addressOf(advertise).port !== 0) return advertise
    const known = advertise ?? address
    return `${known.slice(0, known.lastIndexOf(':'))}:${bound}`
  }

  connect(address: string, events: LinkEvents, timeoutMs: number): Promise<Link> {
    const { host, port } = addressOf(address)
    const nonce = randomBytes(16).toString('hex')
    return new Promise((resolve, reject) => {
      const asking = request({
        host,
        port,
        path,
        agent: false,
        timeout: timeoutMs,
        headers: { connection: 'upgrade', upgrade, [nonceHeader]: nonce },
      })
      this.#asking.add(asking)
      asking.on('close', () => this.#asking.delete(asking))
      asking.on('error', (cause: NodeJS.ErrnoException) => {
        reject(new LinkError(cause.code === 'ECONNREFUSED' ? 'refused' : 'failed', cause.message, { cause }))
      })
      asking.on('timeout', () => asking.destroy(new Error(`${address} did not answer in ${timeoutMs} ms`)))
      asking.on('response', (response) => {
        response.resume()
        reject(new LinkError('failed', `${address} answered with status ${response.statusCode}, and is not a member`))
      })
      asking.on('upgrade', (response, socket: Socket, head) => {
        socket.setTimeout(0)
        const theirs = String(response.headers[nonceHeader])
        const proof = String(response.headers[proofHeader])
        if (!isEqual(proof, this.#proof(nonce, theirs))) {
          socket.destroy()
          reject(new LinkError('failed', `${address} does not have the secret of this cluster`))
          return
        }
        resolve(this.#link(socket, 'client', this.#key(nonce, theirs), () => events, head))
      })
      asking.end()
    })
  }

  async close(): Promise<void> {
    const server = this.#server
    const closed = server && new Promise<void>((resolve) => server.close(() => resolve()))
    server?.closeAllConnections()
    for (const asking of this.#asking) asking.destroy()
    for (const socket of this.#refused) socket.destroy()
    await Promise.all(
      [...this.#sockets].map((socket) => new Promise((resolve) => endSoon(socket).once('close', resolve))),
    )
    await closed
  }

  #accept(incoming: IncomingMessage, socket: Socket, head: Buffer, accept: (link: Link) => LinkEvents): void {
    const theirs = String(incoming.headers[nonceHeader])
    const isMember = incoming.url === path && incoming.headers.upgrade === upgrade && /^[0-9a-f]{32}$/.test(theirs)
    // After an upgrade, Node listens to no errors of the socket, and does not close it.
    socket.on('error', () => {})
    if (!isMember) {
      this.#refused.add(socket)
      socket.once('close', () => this.#refused.delete(socket))
      socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
      endSoon(socket)
      return
    }
    const nonce = randomBytes(16).toString('hex')
    const proof = this.#proof(theirs, nonce)
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${upgrade}\r\n${nonceHeader}: ${nonce}\r\n${proofHeader}: ${proof}\r\n\r\n`,
    )
    const tooLate = startTimer(() => socket.destroy(), proofMsMax)
    tooLate.unref?.()
    socket.once('close', () => stopTimer(tooLate))
    const begin = (link: Link): LinkEvents => {
      stopTimer(tooLate)
      return accept(link)
    }
    this.#link(socket, 'server', this.#key(theirs, nonce), begin, head)
  }

  /** Makes a socket a link. @param begin called when the other side has shown its secret; returns what is to happen */
  #link(socket: Socket, side: Side, key: KeyObject, begin: (link: Link) => LinkEvents, head: Buffer): Link {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.unref()
    const writer = new FrameWriter(key, side)
    const reader = new FrameReader(key, side === 'client' ? 'server' : 'client')
    socket.write(writer.frame(''))
    let isOver = false
    const link: Link = {
      send(text) {
        if (!isOver) socket.write(writer.frame(text))
      },
      close() {
        isOver = true
        endSoon(socket)
      },
    }
    let isProven = false
    let events = side === 'client' ? begin(link) : undefined
    const read = (bytes: Buffer) => {
      try {
        for (const text of reader.read(bytes)) {
          if (isProven && !isOver) events!.onText(text)
          // The first one is empty, and shows that the other side has the secret.
          isProven = true
          events ??= begin(link)
        }
      } catch {
        socket.destroy()
      }
    }
    socket.on('data', read)
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (isOver) return
      isOver = true
      events?.onClose()
    })
    if (head.length > 0) read(head)
    return link
  }

  /** What the side that was asked shows, of the nonces of both. */
  #proof(asking: string, asked: string): string {
    return createHmac('sha256', this.#options.secret).update(`proof ${asking} ${asked}`).digest('hex')
  }

  #key(asking: string, asked: string): KeyObject {
    return createSecretKey(createHmac('sha256', this.#options.secret).update(`key ${asking} ${asked}`).digest())
  }
}

/** What was said is still sent, unless the other side does not take it. */
function endSoon(socket: Socket): Socket {
  socket.destroySoon()
  startTimer(() => socket.destroy(), closeMsMax).unref?.()
  return socket
}

/** Shows who has a secret, without telling it. */
export const proofOf = (secret: string): string => createHmac('sha256', secret).update('mneme cluster').digest('hex')

const isEqual = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
