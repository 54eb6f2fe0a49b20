/**
 * A time at which something is due. It is due when enough time has passed by the monotonic clock, or when its date has
 * come. Both are needed: the monotonic clock stands still while a machine sleeps, and the clock of dates may be set
 * back.
 */
import type { Environment } from './environment.ts'

export class DueTime {
  readonly #environment: Environment
  #at = Number.NEGATIVE_INFINITY
  #date = Number.NEGATIVE_INFINITY

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Sets the time, from now. */
  set(restMs: number): void {
    this.#at = this.#environment.elapsed() + restMs
    this.#date = this.#environment.now() + restMs
  }

  get isOver(): boolean {
    return this.restMs <= 0 || this.#environment.now() >= this.#date
  }

  /** The time until then, by the monotonic clock. */
  get restMs(): number {
    return this.#at - this.#environment.elapsed()
  }
}
