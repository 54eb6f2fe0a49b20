/**
 * Waiting for the log to grow: until the store hints at an append, or the next poll is due where a hint may be lost. A hint that
 * comes between two waits is not lost: the next wait ends at once.
 */
import type { Environment } from '../kernel/environment.ts'
import type { EventStore } from '../store/store.ts'

export class Tail {
  readonly #environment: Environment
  readonly #pollIntervalMs: number
  readonly #unlisten: () => void
  #hinted = false
  #wake: (() => void) | undefined

  /** Listens from now on, until `close`. */
  constructor(store: Pick<EventStore, 'onAppend'>, environment: Environment, pollIntervalMs: number) {
    this.#environment = environment
    this.#pollIntervalMs = pollIntervalMs
    this.#unlisten = store.onAppend(() => {
      this.#hinted = true
      this.#wake?.()
    })
  }

  /** To be called before reading: what is appended from here on ends the next wait. */
  mark(): void {
    this.#hinted = false
  }

  /** Waits for a hint since `mark`, for the next poll (or sooner, if told), or for the signal. Never throws. */
  wait(signal: AbortSignal, mostMs: number = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#hinted || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake = undefined
        cancel()
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const cancel = this.#environment.after(Math.min(this.#pollIntervalMs, mostMs), wake, { background: true })
      signal.addEventListener('abort', wake, { once: true })
      this.#wake = wake
    })
  }

  close(): void {
    this.#unlisten()
    this.#wake?.()
  }
}
