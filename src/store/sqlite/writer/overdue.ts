/**
 * Notices databases whose thread does not answer. A disk that hangs holds a whole thread, and with it all databases
 * there: nothing can be done about that from outside, but it can be told. A database is told of once, until its thread
 * has answered again. Waiting for an answer costs no timer of its own: one goes round as long as something is awaited.
 */
import { elapsedMs, startTimer, type Timer } from '../../../runtime/timers.ts'

/** Longer than the defaults for a lock and for a handler's transaction, which end with errors of their own. */
export const answerMsMax = 15_000

/** The clock, for tests. */
export interface OverdueClock {
  readonly elapsed: () => number
  readonly after: (callback: () => void, ms: number) => void
}

const platformClock: OverdueClock = {
  elapsed: elapsedMs,
  after(callback, ms) {
    const timer: Timer = startTimer(callback, ms)
    timer.unref?.()
  },
}

interface Awaited {
  count: number
  since: number
  isTold: boolean
}

/** Is told of a database, and of the one that has waited longest: its message is the one the thread is at. */
type Tell = (database: number, oldest: number) => void

export class Overdue {
  readonly #tell: Tell
  readonly #limitMs: number
  readonly #clock: OverdueClock
  /** The databases that wait for answers. Those that have waited longest come first. */
  readonly #awaited = new Map<number, Awaited>()
  #isGoingRound = false

  constructor(tell: Tell, limitMs: number = answerMsMax, clock: OverdueClock = platformClock) {
    this.#tell = tell
    this.#limitMs = limitMs
    this.#clock = clock
  }

  /** A message was sent that will be answered. */
  sent(database: number): void {
    const awaited = this.#awaited.get(database)
    if (awaited === undefined) this.#awaited.set(database, { count: 1, since: this.#clock.elapsed(), isTold: false })
    else awaited.count++
    if (!this.#isGoingRound) this.#goRound()
  }

  answered(database: number): void {
    const awaited = this.#awaited.get(database)
    this.#awaited.delete(database)
    if (awaited === undefined || awaited.count === 1) return
    this.#awaited.set(database, { count: awaited.count - 1, since: this.#clock.elapsed(), isTold: false })
  }

  /** Nothing more is awaited of a database. */
  ended(database: number): void {
    this.#awaited.delete(database)
  }

  #goRound(): void {
    this.#isGoingRound = true
    this.#clock.after(() => {
      this.#isGoingRound = false
      const [oldest] = this.#awaited.keys()
      if (oldest === undefined) return
      const before = this.#clock.elapsed() - this.#limitMs
      for (const [database, awaited] of this.#awaited) {
        if (awaited.isTold || awaited.since > before) continue
        awaited.isTold = true
        this.#tell(database, oldest)
      }
      this.#goRound()
    }, this.#limitMs / 3)
  }
}
