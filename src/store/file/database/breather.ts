/**
 * Lets the event loop turn in the midst of long work, every few milliseconds, and asks the signal then. Work over what
 * users may make as large as they like asks `isDue` between its pieces, and rests if it is.
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

  /** @throws the signal's reason, if it is aborted by then */
  async rest(): Promise<void> {
    await turn()
    this.#signal?.throwIfAborted()
    this.#since = elapsedMs()
  }
}

/**
 * The same over many calls. A store answers most calls from memory, so a caller who asks again and again would never
 * let anything else happen. All calls since the loop last turned count together, from all callers.
 */
export class Pace {
  /** When something was asked first since the event loop last turned; undefined if nothing was. */
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
