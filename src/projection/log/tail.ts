/**
 * Waiting for the log to grow. The store's hint wakes all who follow the log; where a hint may be lost a slow poll
 * backs it up, which asks where the log ends, once for all followers of a domain, and wakes those that have not come so
 * far, or further than that. So followers that have nothing to do cost one small question in each interval, however
 * many they are and however long the log is.
 */
import type { Environment } from '../../runtime/environment.ts'
import type { EventStore } from '../../store/store.ts'

export interface TailOptions {
  readonly store: Pick<EventStore, 'onAppend' | 'head'>
  readonly environment: Environment
  readonly pollIntervalMs: number
}

/** How long a follower waits. */
interface WaitOptions {
  /** The last position that the follower has looked at. */
  readonly examined: () => number
  /** At most so long, for those who have something else to do. Without end if left out. */
  readonly mostMs?: number
}

interface Waiting {
  readonly examined: () => number
  readonly wake: () => void
}

/** The end of the log, for all who follow it in a domain. */
export class Tail {
  readonly #options: TailOptions
  readonly #waiting = new Set<Waiting>()
  #cancelPoll: (() => void) | undefined

  constructor(options: TailOptions) {
    this.#options = options
  }

  /** Someone who follows the log from now on, until its `close`. */
  follow(): Follower {
    return new Follower(this.#options, (waiting) => this.#add(waiting))
  }

  /** @returns a function that ends the wait */
  #add(waiting: Waiting): () => void {
    this.#waiting.add(waiting)
    if (this.#cancelPoll === undefined) this.#pollLater()
    return () => {
      this.#waiting.delete(waiting)
      if (this.#waiting.size > 0) return
      this.#cancelPoll?.()
      this.#cancelPoll = undefined
    }
  }

  #pollLater(): void {
    const { environment, pollIntervalMs } = this.#options
    const cancelTimer = environment.after(pollIntervalMs, () => void poll(), { background: true })
    let isCancelled = false
    this.#cancelPoll = () => {
      isCancelled = true
      cancelTimer()
    }
    const poll = async () => {
      const end = await this.#end()
      if (isCancelled) return
      this.#pollLater()
      for (const { examined, wake } of this.#waiting) if (examined() !== end) wake()
    }
  }

  /** Where the log ends. If the store cannot say, nobody is there yet: whoever reads then learns what is wrong. */
  async #end(): Promise<number> {
    try {
      return await this.#options.store.head()
    } catch {
      return Number.POSITIVE_INFINITY
    }
  }
}

/** One who follows the log. A hint that comes between two waits is not lost: the next wait ends at once. */
export class Follower {
  readonly #environment: Environment
  readonly #add: (waiting: Waiting) => () => void
  readonly #unlisten: () => void
  #hinted = false
  #wake: (() => void) | undefined

  /** For `Tail`. @param add lets it wait, and gives what ends that */
  constructor({ store, environment }: TailOptions, add: (waiting: Waiting) => () => void) {
    this.#environment = environment
    this.#add = add
    this.#unlisten = store.onAppend(() => this.hint())
  }

  /** Ends the wait that is going on, or the next one: there may be something to do. */
  hint(): void {
    this.#hinted = true
    this.#wake?.()
  }

  /** To be called before reading: what is appended from here on ends the next wait. */
  mark(): void {
    this.#hinted = false
  }

  /**
   * Waits for a hint since `mark`, for a poll that finds more than was looked at, for the time, or for the signal.
   * Never throws.
   *
   * @returns whether the log may have grown; false if the time was over before
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
