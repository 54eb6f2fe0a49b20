/**
 * When a process leaves a lease to another one, so that the processes of a cluster share the work. It does so whenever
 * another process becomes the one that should have the lease. If that process does not take it in time, this one may
 * take it. Work that can go on elsewhere is offered again from time to time: the other process may have begun later.
 */
import type { Environment } from '../../runtime/environment.ts'

/** The process that should have a lease, if it is not this one. */
export type BetterPlace = (name: string) => string | undefined

interface YieldingOptions {
  /** Absent if processes do not share the work by a plan. */
  readonly betterPlace: BetterPlace | undefined
  readonly name: string
  readonly environment: Environment
  /** The time after which a process asks for the lease again. */
  readonly askAgainMs: number
  /** Whether the lease is offered again to a process that did not take it. The work is interrupted for that. */
  readonly offersAgain: boolean
}

/** It leaves the lease to another process until that has asked for it about so many times. */
const timesAsked = 3
/** The pauses between two offers, in times of such an offer. */
const pauseFirst = 4
const pauseMax = 40

export class Yielding {
  readonly #options: YieldingOptions
  #better: string | undefined
  #until = Number.NEGATIVE_INFINITY
  #pause = pauseFirst
  #againAt = Number.POSITIVE_INFINITY

  constructor(options: YieldingOptions) {
    this.#options = options
  }

  /** Whether this process must not have the lease now. @param isHeld whether it has it */
  isDue(isHeld: boolean): boolean {
    const { betterPlace, name, environment, offersAgain } = this.#options
    if (betterPlace === undefined) return false
    const better = betterPlace(name)
    const now = environment.elapsed()
    if (better === undefined) this.#until = Number.NEGATIVE_INFINITY
    else if (better !== this.#better) this.#offer(now, pauseFirst)
    else if (offersAgain && isHeld && now >= this.#againAt) this.#offer(now, Math.min(2 * this.#pause, pauseMax))
    this.#better = better
    return now < this.#until
  }

  #offer(now: number, pause: number): void {
    const offerMs = this.#options.askAgainMs * timesAsked
    this.#until = now + offerMs
    this.#pause = pause
    this.#againAt = this.#until + pause * offerMs
  }
}
