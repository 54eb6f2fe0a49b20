/**
 * Listens for what other processes append, on one connection for all hearers. If the connection breaks, it is made
 * again, after growing waits. Being connected again counts as a notification, because one may have been missed
 * meanwhile. When another connection gives no answer, this one is asked, too. Nothing depends on this: a reader that is
 * not woken polls. If the connection never works, the hearers get one error.
 */
import { startTimer, stopTimer, type Timer } from '../../../runtime/timers.ts'
import { within } from './database.ts'
import type { Driver, OwnClient } from './driver.ts'

const waitMsFirst = 50
const waitMsMax = 5_000
const closeMsMax = 2_000
/** The number of consecutive failures after which the hearers get an error. */
const failuresMax = 3

/** Gets the notifications of a channel. */
export interface Hearer {
  readonly channel: string
  /** Called when there are events up to this position, or, without a position, when there may be new events. */
  readonly hear: (position?: number) => void
  /** Called once, with the reason why there are no notifications. */
  readonly fail: (error: unknown) => void
}

export class Listener {
  readonly #driver: Driver
  readonly #config: object
  readonly #timeoutMs: number
  readonly #hearers = new Set<Hearer>()
  readonly #told = new WeakSet<Hearer>()
  #client: OwnClient | undefined
  /** The channels that the connection listens to, or is about to. */
  #channels = new Set<string>()
  #isConnected = false
  #isDoubted = false
  #saying: Promise<unknown> = Promise.resolve()
  #timer: Timer | undefined
  #waitMs = waitMsFirst
  #failures = 0
  #started = false
  #closed = false

  constructor(driver: Driver, config: object, timeoutMs: number) {
    this.#driver = driver
    this.#config = config
    this.#timeoutMs = timeoutMs
  }

  /** Adds a hearer. A failure is not thrown: it tries again. */
  add(hearer: Hearer): void {
    if (this.#closed) return
    this.#hearers.add(hearer)
    if (!this.#started) {
      this.#started = true
      void this.#connect()
    } else if (this.#client !== undefined && this.#isConnected) {
      void this.#listen(this.#client)
    }
  }

  /** Removes a hearer. If it was the last of its channel, the channel is left. */
  remove(hearer: Hearer): void {
    const { channel } = hearer
    if (!this.#hearers.delete(hearer) || [...this.#hearers].some((each) => each.channel === channel)) return
    if (this.#isConnected && this.#channels.delete(channel)) {
      this.#say(this.#client!, `UNLISTEN ${named(channel)}`).catch(ignore)
    }
  }

  /** To be called when another connection gave no answer. Looks whether this one still has a server. */
  doubt(): void {
    const client = this.#client
    if (client === undefined || !this.#isConnected || this.#isDoubted) return
    this.#isDoubted = true
    this.#say(client, 'SELECT 1')
      .catch((error: unknown) => this.#retry(client, error))
      .finally(() => {
        this.#isDoubted = false
      })
  }

  async #connect(): Promise<void> {
    let client: OwnClient | undefined
    try {
      // The driver throws at once if it cannot connect at all, for instance because a certificate's file is missing for
      // a moment.
      client = new this.#driver.Client(this.#config)
    } catch (error) {
      return this.#retry(client, error)
    }
    this.#client = client
    this.#channels = new Set()
    client.on('error', (error) => this.#retry(client, error))
    client.on('end', () => this.#retry(client, new Error('the connection has ended')))
    client.on('notification', ({ channel, payload }) => this.#tell(channel, Number(payload)))
    try {
      // The driver bounds the time itself. If this is closed meanwhile, the promise of the driver never settles.
      await client.connect()
    } catch (error) {
      return this.#retry(client, error)
    }
    this.#isConnected = this.#client === client
    await this.#listen(client)
    client.unref()
  }

  /** Listens to the channels that are not listened to yet. */
  async #listen(client: OwnClient): Promise<void> {
    const wanted = new Set(Array.from(this.#hearers, ({ channel }) => channel))
    const channels = [...wanted].filter((channel) => !this.#channels.has(channel))
    if (channels.length === 0) return
    for (const channel of channels) this.#channels.add(channel)
    try {
      await this.#say(client, channels.map((channel) => `LISTEN ${named(channel)}`).join(';'))
    } catch (error) {
      return this.#retry(client, error)
    }
    this.#waitMs = waitMsFirst
    this.#failures = 0
    for (const channel of channels) this.#tell(channel)
  }

  /** Sends statements one after the other, because a connection takes one at a time. */
  #say(client: OwnClient, text: string): Promise<unknown> {
    const saying = this.#saying.then(() => within(this.#timeoutMs, client.query(text)))
    this.#saying = saying.catch(ignore)
    return saying
  }

  #tell(channel: string, position?: number): void {
    for (const hearer of this.#hearers) if (hearer.channel === channel) hearer.hear(position)
  }

  #retry(client: OwnClient | undefined, error: unknown): void {
    if (this.#closed || this.#client !== client) return
    this.#client = undefined
    this.#isConnected = false
    client?.end().catch(ignore)
    if (++this.#failures >= failuresMax) this.#tellFailure(error)
    this.#timer = startTimer(() => void this.#connect(), this.#waitMs * (0.5 + Math.random()))
    this.#timer.unref?.()
    this.#waitMs = Math.min(this.#waitMs * 2, waitMsMax)
  }

  #tellFailure(error: unknown): void {
    for (const hearer of this.#hearers) {
      if (this.#told.has(hearer)) continue
      this.#told.add(hearer)
      hearer.fail(error)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    stopTimer(this.#timer)
    if (this.#client !== undefined) await within(closeMsMax, this.#client.end()).catch(ignore)
  }
}

const ignore = (): void => {}
const named = (channel: string): string => `"${channel.replaceAll('"', '""')}"`
