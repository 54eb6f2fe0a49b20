/**
 * Long work in pieces: between them the event loop serves timers and input, so that deadlines fire and nobody else
 * waits.
 */
import type { Environment } from './environment.ts'

/** How long work goes on without letting the event loop turn. */
const breathAfterMs = 8

export class Breath {
  readonly #environment: Pick<Environment, 'elapsed' | 'defer'>
  readonly #signal: AbortSignal | undefined
  #since: number

  /** @param signal may end the work at each pause */
  constructor(environment: Pick<Environment, 'elapsed' | 'defer'>, signal?: AbortSignal) {
    this.#environment = environment
    this.#signal = signal
    this.#since = environment.elapsed()
  }

  /** Whether it has gone on for long enough. */
  get isDue(): boolean {
    return this.#environment.elapsed() - this.#since >= breathAfterMs
  }

  /** Lets the event loop turn, if that is due. @throws the signal's reason, if it is aborted */
  async pause(): Promise<void> {
    this.#signal?.throwIfAborted()
    if (!this.isDue) return
    await new Promise<void>((resolve) => this.#environment.defer(resolve))
    this.#since = this.#environment.elapsed()
    this.#signal?.throwIfAborted()
  }
}
