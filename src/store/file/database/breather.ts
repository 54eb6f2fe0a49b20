/**
 * Lets the event loop turn every few milliseconds during long work, and then checks the signal. Work whose size depends
 * on users asks `isDue` between its pieces, and calls `rest` if it is true.
 */
import { defer, elapsedMs, turn } from '../../../runtime/timers.ts'

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

  /** @throws the signal's reason, if it is then aborted */
  async rest(): Promise<void> {
    await turn()
    this.#signal?.throwIfAborted()
    this.#since = elapsedMs()
  }
}

/**
 * The same over many calls. A store answers most calls from memory, so a caller that makes many calls would block
 * everything else. All calls since the last turn of the loop count together, from all callers.
 */
export class Pace {
  /** The time of the first call since the event loop last turned, or undefined if there was none. */
  #since: number | undefined

  get isDue(): boolean {
    const now = elapsedMs()
    if (this.#since !== undefined) return now - this.#since > turnMsMax
    this.#since = now
    defer(() => {
      this.#since = undefined
    })
    return false
  }
}
