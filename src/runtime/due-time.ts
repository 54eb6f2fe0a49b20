/**
 * When there is something to do again. It is due when so much time has passed by the clock that nobody sets, or when
 * its date has come: that clock stands still while a machine sleeps, and the clock of dates may be set ahead.
 */
import type { Environment } from './environment.ts'

export class DueTime {
  readonly #environment: Environment
  #at = Number.NEGATIVE_INFINITY
  #date = Number.NEGATIVE_INFINITY

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** It is due after so many milliseconds. */
  set(restMs: number): void {
    this.#at = this.#environment.elapsed() + restMs
    this.#date = this.#environment.now() + restMs
  }

  get isOver(): boolean {
    return this.restMs <= 0 || this.#environment.now() >= this.#date
  }

  /** The time until then, if no clock is set. */
  get restMs(): number {
    return this.#at - this.#environment.elapsed()
  }
}
