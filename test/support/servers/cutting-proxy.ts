/**
 * A way to a server that breaks: a proxy on the loopback that cuts each connection at a byte of its choice, on the way
 * to the server (which then has part of a request, or all of it and nobody to answer) or on the way back (so that an
 * answer is lost or torn). What was passed on before the cut arrives. It may also lead to another server from some
 * moment on, as the address of a cluster does, and its connections may stay open and pass nothing on, as those to a
 * machine that vanished.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Where a connection is cut: behind so many bytes on one of its ways. */
export interface Cut {
  readonly way: 'to the server' | 'to the client'
  readonly behindBytes: number
}

interface Target {
  readonly host: string
  readonly port: number
}

export class CuttingProxy {
  /** The server's URL, by this way. */
  readonly url: string
  readonly #server: Server
  #target: Target
  readonly #connections = new Set<Connection>()
  /** Asked once for each connection; it lasts where there is no cut. */
  cutOf: () => Cut | undefined = () => undefined
  #accepted = 0
  #cuts = 0

  private constructor(server: Server, target: URL) {
    this.#server = server
    this.#target = targetOf(target)
    const { port } = server.address() as { port: number }
    const url = new URL(target)
    url.hostname = '127.0.0.1'
    url.port = `${port}`
    this.url = url.href
    server.on('connection', (client: Socket) => this.#accept(client))
  }

  /** @param url of a server, with its port */
  static async before(url: string): Promise<CuttingProxy> {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.unref()
    return new CuttingProxy(server, new URL(url))
  }

  /** Lets it lead to another server from now on; connections that there are stay with theirs. */
  leadTo(url: string): void {
    this.#target = targetOf(new URL(url))
  }

  /** How many connections it has accepted. */
  get accepted(): number {
    return this.#accepted
  }

  /** How many connections there are now. */
  get open(): number {
    return this.#connections.size
  }

  /** How many connections it has cut. */
  get cuts(): number {
    return this.#cuts
  }

  /** Cuts all connections that there are now. */
  cutAll(): void {
    for (const connection of this.#connections) connection.cut()
  }

  /** Nothing passes on the connections that there are now, and they are not closed. */
  silenceAll(): void {
    for (const connection of this.#connections) connection.silence()
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cutAll()
    await once(this.#server, 'close')
  }

  #accept(client: Socket): void {
    this.#accepted++
    const server = connect({ ...this.#target, allowHalfOpen: true })
    const connection = new Connection(client, server, this.cutOf(), (wasCut) => {
      this.#connections.delete(connection)
      if (wasCut) this.#cuts++
    })
    this.#connections.add(connection)
  }
}

const targetOf = ({ hostname, port }: URL): Target => ({ host: hostname, port: Number(port) })

/** Two sockets, and what is passed on from one to the other. */
class Connection {
  readonly #client: Socket
  readonly #server: Socket
  readonly #onEnd: (wasCut: boolean) => void
  #isOver = false
  #isSilent = false

  constructor(client: Socket, server: Socket, cut: Cut | undefined, onEnd: (wasCut: boolean) => void) {
    this.#client = client
    this.#server = server
    this.#onEnd = onEnd
    const bytesOn = (way: Cut['way']) => (cut?.way === way ? cut.behindBytes : Number.POSITIVE_INFINITY)
    this.#pass(client, server, bytesOn('to the server'))
    this.#pass(server, client, bytesOn('to the client'))
  }

  cut(): void {
    this.#end(true)
  }

  silence(): void {
    this.#isSilent = true
  }

  #pass(from: Socket, to: Socket, bytes: number): void {
    let left = bytes
    from.setNoDelay(true)
    from.on('data', (chunk: Buffer) => {
      if (this.#isOver || this.#isSilent || left <= 0) return
      const some = chunk.subarray(0, left)
      left -= some.length
      const isFlowing = to.write(some, () => {
        if (left <= 0) this.cut()
      })
      if (!isFlowing) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('end', () => to.end())
    from.on('error', () => this.#end(false))
    from.on('close', () => this.#end(false))
  }

  #end(wasCut: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#client.destroy()
    this.#server.destroy()
    this.#onEnd(wasCut)
  }
}
