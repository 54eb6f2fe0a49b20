/**
 * Waiting for the log to grow. The store's hint wakes all followers. Because a hint may be lost, there is also a slow
 * poll, one for all followers of a domain. It asks where the log ends, and wakes the followers that have examined less
 * than that, or more. Followers that have nothing to do therefore cost one small question in each interval, however
 * many they are and however long the log is.
 */
import type { Environment } from '../../runtime/environment.ts'
import { soon } from '../../runtime/timers.ts'
import type { EventStore } from '../../store/store.ts'

export interface TailOptions {
  readonly store: Pick<EventStore, 'onAppend' | 'head'>
  readonly environment: Environment
  readonly pollIntervalMs: number
}

/** How long a follower waits. */
interface WaitOptions {
  /** The last position that the follower has examined. */
  readonly examined: () => number
  /** The longest wait, for a follower that has other work. Without it the wait has no limit. */
  readonly mostMs?: number
}

interface Waiting {
  readonly examined: () => number
  readonly wake: () => void
}

/** Watches the end of the log for all followers of a domain. */
export class Tail {
  readonly #options: TailOptions
  readonly #waiting = new Set<Waiting>()
  /** Ends the time until the next question. Absent while nobody waits, and while one is under way. */
  #cancelPoll: (() => void) | undefined
  #isAsking = false
  /** How long somebody has waited since the last question, without the wait that goes on, and when that began. */
  #waitedMs = 0
  #waitsSince = 0
  /** Where the log ended, by an answer that came when nobody waited. */
  #lateEnd: number | undefined

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** A new follower, which follows the log until its `close`. */
  follow(): Follower {
    return new Follower(this.#options, (waiting) => this.#add(waiting))
  }

  /** @returns a function that ends the wait */
  #add(waiting: Waiting): () => void {
    const { environment } = this.#options
    if (this.#waiting.size === 0) this.#waitsSince = environment.elapsed()
    this.#waiting.add(waiting)
    const lateEnd = this.#lateEnd
    this.#lateEnd = undefined
    if (lateEnd !== undefined && lateEnd > waiting.examined()) soon(waiting.wake)
    this.#pollLater()
    return () => {
      if (!this.#waiting.delete(waiting) || this.#waiting.size > 0) return
      this.#waitedMs += environment.elapsed() - this.#waitsSince
      this.#cancelPoll?.()
      this.#cancelPoll = undefined
    }
  }

  /** Asks when somebody has waited for an interval. Waits may be shorter than that, so they count together. */
  #pollLater(): void {
    if (this.#isAsking || this.#cancelPoll !== undefined || this.#waiting.size === 0) return
    const { environment, pollIntervalMs } = this.#options
    const waitedMs = this.#waitedMs + environment.elapsed() - this.#waitsSince
    const restMs = Math.max(0, pollIntervalMs - waitedMs)
    this.#cancelPoll = environment.after(restMs, () => void this.#poll(), { background: true })
  }

  /** The answer of a slow store may come when the waits are over that it was asked for. It counts all the same. */
  async #poll(): Promise<void> {
    this.#cancelPoll = undefined
    this.#isAsking = true
    const asked = new Set(this.#waiting)
    const end = await this.#end()
    this.#isAsking = false
    this.#waitedMs = 0
    this.#waitsSince = this.#options.environment.elapsed()
    if (this.#waiting.size === 0) this.#lateEnd = end
    this.#pollLater()
    for (const waiting of this.#waiting) {
      const examined = waiting.examined()
      // Who waits since a later time may have seen a later end.
      if (asked.has(waiting) ? examined !== end : examined < end) waiting.wake()
    }
  }

  /**
   * Where the log ends. If the store fails, it returns infinity, so that all followers wake. Their reads then show what
   * is wrong.
   */
  async #end(): Promise<number> {
    try {
      return await this.#options.store.head()
    } catch {
      return Number.POSITIVE_INFINITY
    }
  }
}

/** A follower of the log. A hint that comes between two waits is not lost: the next wait ends at once. */
export class Follower {
  readonly #environment: Environment
  readonly #add: (waiting: Waiting) => () => void
  readonly #unlisten: () => void
  #hinted = false
  #wake: (() => void) | undefined

  /** Called by `Tail`. @param add adds a wait, and returns a function that ends it */
  constructor({ store, environment }: TailOptions, add: (waiting: Waiting) => () => void) {
    this.#environment = environment
    this.#add = add
    this.#unlisten = store.onAppend(() => this.hint())
  }

  /** Ends the current wait, or the next one, because there may be work. */
  hint(): void {
    this.#hinted = true
    this.#wake?.()
  }

  /** Call this before reading. Appends after this call end the next wait. */
  mark(): void {
    this.#hinted = false
  }

  /**
   * Waits for a hint since `mark`, for a poll that finds another end than the follower has examined, for the time
   * limit, or for the signal. Never throws.
   *
   * @returns whether the log may have grown; false if the time limit came first
   */
  wait(signal: AbortSignal, { examined, mostMs = Number.POSITIVE_INFINITY }: WaitOptions): Promise<boolean> {
    if (this.#hinted || signal.aborted) return Promise.resolve(true)
    return new Promise((resolve) => {
      const finish = (mayHaveGrown: boolean) => {
        this.#wake = undefined
        end()
        cancel?.()
        signal.removeEventListener('abort', wake)
        resolve(mayHaveGrown)
      }
      const wake = () => finish(true)
      const end = this.#add({ examined, wake })
      const onTime = () => finish(false)
      const cancel = Number.isFinite(mostMs) ? this.#environment.after(mostMs, onTime, { background: true }) : undefined
      signal.addEventListener('abort', wake, { once: true })
      this.#wake = wake
    })
  }

  close(): void {
    this.#unlisten()
    this.#wake?.()
  }
}
