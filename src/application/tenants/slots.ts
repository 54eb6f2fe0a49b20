/** Places of which there are only so many. Those who find none free wait in order, for a limited time. */
import { type Environment, sleep } from '../../runtime/environment.ts'

export class Slots {
  readonly #environment: Environment
  #free: number
  readonly #waiting = new Set<(isTaken: boolean) => void>()

  constructor(environment: Environment, count: number) {
    this.#environment = environment
    this.#free = count
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Takes a place. @returns whether one was free in time, and before the signal was aborted */
  async take(waitMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#free > 0) {
      this.#free--
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#waiting.add(resolve)
    const over = new AbortController()
    const giveUp = () => {
      if (this.#waiting.delete(resolve)) resolve(false)
    }
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    if (Number.isFinite(waitMs)) void sleep(this.#environment, waitMs, over.signal).then(giveUp)
    try {
      return await promise
    } finally {
      signal.removeEventListener('abort', giveUp)
      over.abort()
    }
  }

  /** Gives a place back. The one who waits longest gets it. */
  release(): void {
    const [first] = this.#waiting
    if (first === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(first)
    first(true)
  }
}
