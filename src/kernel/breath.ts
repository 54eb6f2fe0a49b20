/** Long work in pieces: between them the event loop serves timers and input, so that deadlines fire and nobody else waits. */
import type { Environment } from './environment.ts'

/** How long work goes on without letting the event loop turn. */
const breathAfterMs = 8

export class Breath {
  readonly #environment: Environment
  #since: number

  constructor(environment: Environment) {
    this.#environment = environment
    this.#since = environment.now()
  }

  /** Whether it has gone on for long enough. */
  get isDue(): boolean {
    const elapsedMs = this.#environment.now() - this.#since
    // A clock that was set back must not keep the event loop waiting until it is where it was.
    return elapsedMs >= breathAfterMs || elapsedMs < 0
  }

  /** Lets the event loop turn, if that is due. */
  async pause(): Promise<void> {
    if (!this.isDue) return
    await new Promise<void>((resolve) => this.#environment.defer(resolve))
    this.#since = this.#environment.now()
  }
}
