/**
 * Splits long work into pieces. In between, the event loop handles timers and input, so that nothing else has to wait.
 */
import type { Environment } from './environment.ts'

/** How long work runs before it lets the event loop run. */
const breathAfterMs = 8

export class Breath {
  readonly #environment: Pick<Environment, 'elapsed' | 'defer'>
  readonly #signal: AbortSignal | undefined
  #since: number

  /** @param signal ends the work at the next pause when it is aborted */
  constructor(environment: Pick<Environment, 'elapsed' | 'defer'>, signal?: AbortSignal) {
    this.#environment = environment
    this.#signal = signal
    this.#since = environment.elapsed()
  }

  /** Whether the work has run for long enough. */
  get isDue(): boolean {
    return this.#environment.elapsed() - this.#since >= breathAfterMs
  }

  /** Lets the event loop run, if that is due. @throws the signal's reason, if it is aborted */
  async pause(): Promise<void> {
    this.#signal?.throwIfAborted()
    if (!this.isDue) return
    await new Promise<void>((resolve) => this.#environment.defer(resolve))
    this.#since = this.#environment.elapsed()
    this.#signal?.throwIfAborted()
  }
}
