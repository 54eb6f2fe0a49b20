/**
 * The driver's client, and a new one in its place if it hangs while the server answers others.
 *
 * Version 7.9.0 of the driver hangs for ever if a connection closes at the moment at which the driver writes its check
 * of the server there: it waits for the `drain` of a socket that is gone (`Connection.writeCommand`). It makes one
 * check at a time. So it never learns that the server is back, and finds no server for any operation.
 */
import type { MongoClient } from './driver.ts'
import { within } from './within.ts'

export class Client {
  readonly #make: (() => Promise<MongoClient>) | undefined
  readonly #timeoutMs: number
  readonly #closing = new AbortController()
  #current: MongoClient
  #comparison: Promise<void> | undefined

  private constructor(current: MongoClient, timeoutMs: number, make?: () => Promise<MongoClient>) {
    this.#current = current
    this.#timeoutMs = timeoutMs
    this.#make = make
  }

  /** A client of the caller's, who closes it, and connects it again if it hangs. */
  static given(client: MongoClient, timeoutMs: number): Client {
    return new Client(client, timeoutMs)
  }

  /** A client of the store's own. @param make makes one that is not connected yet */
  static async own(make: () => Promise<MongoClient>, timeoutMs: number): Promise<Client> {
    return new Client(await make(), timeoutMs, make)
  }

  /** The client that is in use now. Whatever belongs together, as a session and its commands, uses one. */
  get current(): MongoClient {
    return this.#current
  }

  /** To be called when an operation got no answer. Looks whether that is the client's fault, and replaces it if so. */
  doubt(): void {
    if (this.#make === undefined || this.#closing.signal.aborted) return
    this.#comparison ??= this.#compare(this.#make).finally(() => {
      this.#comparison = undefined
    })
  }

  /** Closes the client, if it is the store's own. */
  async close(): Promise<void> {
    if (this.#make === undefined) return
    this.#closing.abort(new Error('the store is closed'))
    await this.#comparison
    await this.#current.close()
  }

  /** Asks the server through the client and through a new one, which stays if only it gets an answer. */
  async #compare(make: () => Promise<MongoClient>): Promise<void> {
    const old = this.#current
    let unused: MongoClient | undefined
    try {
      unused = await make()
      const [byOld, byNew] = await Promise.allSettled([this.#ask(old), this.#ask(unused)])
      if (byOld.status === 'fulfilled' || byNew.status === 'rejected' || this.#closing.signal.aborted) return
      this.#current = unused
      unused = old
    } catch {
      // The next operation without an answer begins again.
    } finally {
      unused?.close().catch(() => {})
    }
  }

  #ask(client: MongoClient): Promise<unknown> {
    return within(this.#timeoutMs, this.#closing.signal, (signal) =>
      client.db('admin').command({ hello: 1 }, { readPreference: 'primary', signal }),
    )
  }
}
