/**
 * Wakes listeners after appends of other processes, by a change stream if the server has them. It is only a hint:
 * events are read from the log. The stream is open while there are listeners. When it breaks it is opened again after a
 * while, and until then listeners poll, as they always do.
 */

import { startTimer, stopTimer, type Timer } from '../../../runtime/timers.ts'
import { Listeners } from '../../listeners.ts'
import type { Database } from './database.ts'
import type { ChangeStream } from './driver.ts'

const reopenMsDefault = 1000
/** Only the fact that something was inserted matters, not what. */
const pipeline = [{ $match: { operationType: 'insert' } }, { $project: { _id: 1, operationType: 1 } }]

export class WakeUp {
  readonly #database: Database
  readonly #listeners = new Listeners()
  readonly #reopenMs: number
  #count = 0
  #stream: ChangeStream | undefined
  #timer: Timer | undefined
  #closed = false

  constructor(database: Database, reopenMs: number = reopenMsDefault) {
    this.#database = database
    this.#reopenMs = reopenMs
  }

  /** @returns a function that ends it */
  add(listener: () => void): () => void {
    const end = this.#listeners.add(listener)
    let ended = false
    this.#count++
    this.#watch()
    return () => {
      if (ended) return
      ended = true
      end()
      this.#count--
      if (this.#count === 0) void this.#stop()
    }
  }

  notify(): void {
    this.#listeners.notify()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#stop()
  }

  #watch(): void {
    if (this.#closed || this.#count === 0 || this.#stream !== undefined || !this.#database.isReplicated) return
    const stream = this.#database.watched('commits').watch(pipeline)
    this.#stream = stream
    stream.on('change', () => this.notify())
    stream.on('error', () => void this.#reopen(stream))
    stream.on('close', () => void this.#reopen(stream))
  }

  async #reopen(stream: ChangeStream): Promise<void> {
    if (this.#stream !== stream) return
    this.#stream = undefined
    stopTimer(this.#timer)
    this.#timer = startTimer(() => this.#watch(), this.#reopenMs)
    this.#timer.unref?.()
    await stream.close().catch(() => {})
  }

  async #stop(): Promise<void> {
    stopTimer(this.#timer)
    const stream = this.#stream
    this.#stream = undefined
    await stream?.close().catch(() => {})
  }
}
