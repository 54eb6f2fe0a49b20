/**
 * Lets the event loop turn during long reads. SQLite answers at once, so a caller that reads page after page would
 * block everything else. All reads since the last turn of the loop count together, for all callers and calls.
 */
import { defer, elapsedMs, turn } from '../../../runtime/timers.ts'

const breathAfterMs = 8

export class Breather {
  readonly #check: () => void
  /** The time of the first read since the event loop last turned, or undefined if there was none. */
  #since: number | undefined

  /** @param check called after each turn; its error ends the read */
  constructor(check: () => void) {
    this.#check = check
  }

  /** Whether it is time to let the event loop turn. */
  get isDue(): boolean {
    const now = elapsedMs()
    if (this.#since !== undefined) return now - this.#since >= breathAfterMs
    this.#since = now
    defer(() => {
      this.#since = undefined
    })
    return false
  }

  /** Lets the event loop turn. @throws what the check throws; the signal's reason */
  async breathe(signal?: AbortSignal): Promise<void> {
    await turn()
    this.#check()
    signal?.throwIfAborted()
  }
}
