/**
 * Lets the event loop turn in the midst of long work, every few milliseconds, and asks the signal then. Work over what users may
 * make as large as they like asks `isDue` between its pieces, and rests if it is.
 */
import { elapsedMs, turn } from '../timers.ts'

const turnMsMax = 8

export class Breather {
  readonly #signal: AbortSignal | undefined
  #since = elapsedMs()

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  get isDue(): boolean {
    return elapsedMs() - this.#since > turnMsMax
  }

  throwIfAborted(): void {
    this.#signal?.throwIfAborted()
  }

  /** @throws the signal's reason, if it is aborted by then */
  async rest(): Promise<void> {
    await turn()
    this.#signal?.throwIfAborted()
    this.#since = elapsedMs()
  }
}
