/**
 * The driver's connection. It connects again by itself when it notices a loss, but (version 3) it notices a server that
 * vanished without a sign only after six minutes, and it closes for good when it was refused twice, as while a password
 * is changed. A connection of the store's own is then replaced by a new one: when a call got no answer, or could not be
 * sent, the server is asked through the old connection, and if that gives no answer in time, through a new one.
 *
 * A connection of the caller's stays the caller's: it is neither replaced nor closed.
 */
import { rest } from '../../../runtime/timers.ts'
import type { Msg, NatsConnection, PublishOptions } from './driver.ts'
import { outsideOfDriver } from './sockets.ts'

/** A subject that is listened to, on the connection in use. */
interface Listening {
  readonly subject: string
  readonly hear: (message: Msg) => void
  end: () => void
}

/** What a wire is told when it is made. */
export interface WireOptions {
  /** How long the server may take to answer. */
  readonly timeoutMs: number
  /** Makes a connection; absent if the connection is the caller's. */
  readonly connect?: (() => Promise<NatsConnection>) | undefined
}

export class Wire {
  readonly #options: WireOptions
  readonly #listenings = new Set<Listening>()
  /** Called when the answers to what was sent may never come. */
  readonly #onLost: () => void
  #current: NatsConnection
  #doubting: Promise<void> | undefined
  #isClosing = false

  constructor(current: NatsConnection, options: WireOptions, onLost: () => void) {
    this.#options = options
    this.#onLost = onLost
    this.#current = current
    void this.#watch(current)
  }

  /** What the server says of itself, while there is a connection. */
  get info(): NatsConnection['info'] {
    return this.#current.info
  }

  get isClosed(): boolean {
    return this.#current.isClosed()
  }

  publish(subject: string, data: string | Uint8Array, options: PublishOptions = {}): void {
    this.#current.publish(subject, data, options)
  }

  /** Listens, also on the connections that replace this one. @returns a function that ends it */
  listen(subject: string, hear: (message: Msg) => void): () => void {
    const listening = { subject, hear, end: () => {} }
    this.#begin(listening)
    this.#listenings.add(listening)
    return () => {
      this.#listenings.delete(listening)
      listening.end()
    }
  }

  /** To be called when a call got no answer or was not sent. Replaces the connection if that is its fault. */
  doubt(): void {
    const { connect } = this.#options
    if (connect === undefined || this.#isClosing) return
    this.#doubting ??= this.#replace(connect).finally(() => {
      this.#doubting = undefined
    })
  }

  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#options.connect !== undefined) await this.#current.close()
  }

  async #replace(connect: () => Promise<NatsConnection>): Promise<void> {
    const old = this.#current
    let isAnswered = false
    if (!old.isClosed()) {
      const answered = old.flush().then(
        () => {
          isAnswered = true
        },
        // It has noticed the loss, and connects again by itself.
        () => {},
      )
      if (await Promise.race([answered.then(() => true), rest(this.#options.timeoutMs)])) return
    }
    if (this.#isClosing) return
    let unused: NatsConnection | undefined
    try {
      unused = await connect()
      if (isAnswered || this.#isClosing) return
      this.#current = unused
      unused = old
      void this.#watch(this.#current)
      for (const listening of this.#listenings) this.#begin(listening)
      this.#onLost()
    } catch {
      // The next call without an answer begins again.
    } finally {
      unused?.close().catch(() => {})
    }
  }

  #begin(listening: Listening): void {
    const { subject, hear } = listening
    const subscription = this.#current.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) outsideOfDriver(() => hear(message))
      },
    })
    listening.end = () => subscription.unsubscribe()
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect' && connection === this.#current) this.#onLost()
    }
    if (connection === this.#current) this.#onLost()
  }
}
