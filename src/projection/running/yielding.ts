/**
 * When a process leaves a lease to another one, so that the processes of a cluster share the work. It does so once,
 * whenever another process becomes the one that should have the lease. If that process does not take it in time, this
 * one may take it and keeps it.
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
}

/** It leaves the lease to another process until that has asked for it about so many times. */
const timesAsked = 3

export class Yielding {
  readonly #options: YieldingOptions
  #better: string | undefined
  #until = Number.NEGATIVE_INFINITY

  constructor(options: YieldingOptions) {
    this.#options = options
  }

  /** Whether this process must not have the lease now. */
  get isDue(): boolean {
    const { betterPlace, name, environment, askAgainMs } = this.#options
    if (betterPlace === undefined) return false
    const better = betterPlace(name)
    const now = environment.elapsed()
    if (better === undefined) this.#until = Number.NEGATIVE_INFINITY
    else if (better !== this.#better) this.#until = now + askAgainMs * timesAsked
    this.#better = better
    return now < this.#until
  }
}
