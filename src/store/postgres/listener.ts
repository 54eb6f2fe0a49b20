/**
 * Hears of what other processes append, on a connection of its own. When that is cut it is made again, after waits that grow; and
 * since something may have been missed meanwhile, it counts as a notification when it stands again. Nothing depends on it:
 * whoever is not woken polls.
 */

import { startTimer, stopTimer, type Timer } from '../timers.ts'
import { configOf, within } from './database.ts'
import type { Driver, OwnClient } from './driver.ts'
import type { Settings } from './options.ts'

const waitMsFirst = 50
const waitMsMax = 5_000
const closeMsMax = 2_000

/** What a listener is told: that there are events up to this position, or, without one, that there may be. */
export type Hear = (position?: number) => void

export class Listener {
  readonly #driver: Driver
  readonly #config: object
  readonly #timeoutMs: number
  readonly #channel: string
  readonly #hear: Hear
  #client: OwnClient | undefined
  #timer: Timer | undefined
  #waitMs = waitMsFirst
  #started = false
  #closed = false

  constructor(driver: Driver, settings: Settings, channel: string, hear: Hear) {
    this.#driver = driver
    this.#config = configOf(settings)
    this.#timeoutMs = settings.timeoutMs
    this.#channel = channel
    this.#hear = hear
  }

  /** Listens from now on, once and for all. Failing is no error: it tries again by and by. */
  start(): void {
    if (this.#started || this.#closed) return
    this.#started = true
    void this.#connect()
  }

  async #connect(): Promise<void> {
    const client = this.#makeClient()
    if (client === undefined) return this.#retry(client)
    this.#client = client
    client.on('error', () => this.#retry(client))
    client.on('end', () => this.#retry(client))
    client.on('notification', ({ payload }) => this.#hear(Number(payload)))
    try {
      // Bounded by the driver's own time: where this is closed meanwhile, the driver never says what became of it.
      await client.connect()
      await within(this.#timeoutMs, client.query(`LISTEN "${this.#channel.replaceAll('"', '""')}"`))
      client.unref()
      this.#waitMs = waitMsFirst
      this.#hear()
    } catch {
      this.#retry(client)
    }
  }

  /** The driver throws where it finds no way to connect: a certificate's file that is not there, for the moment. */
  #makeClient(): OwnClient | undefined {
    try {
      return new this.#driver.Client(this.#config)
    } catch {
      return undefined
    }
  }

  #retry(client: OwnClient | undefined): void {
    if (this.#closed || this.#client !== client) return
    this.#client = undefined
    client?.end().catch(() => {})
    this.#timer = startTimer(() => void this.#connect(), this.#waitMs * (0.5 + Math.random()))
    this.#timer.unref?.()
    this.#waitMs = Math.min(this.#waitMs * 2, waitMsMax)
  }

  async close(): Promise<void> {
    this.#closed = true
    stopTimer(this.#timer)
    if (this.#client !== undefined) await within(closeMsMax, this.#client.end()).catch(() => {})
  }
}
