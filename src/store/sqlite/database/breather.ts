/**
 * Lets the event loop turn while much is read. SQLite answers at once, so a caller who reads page after page would
 * never let anything else happen. Everything that was read since the loop last turned counts, for all callers and all
 * calls together.
 */
import { defer, elapsedMs, turn } from '../../../runtime/timers.ts'

const breathAfterMs = 8

export class Breather {
  readonly #check: () => void
  /** When something was read first since the event loop last turned; undefined if nothing was. */
  #since: number | undefined

  /** @param check is called after each breath; what it throws ends the read */
  constructor(check: () => void) {
    this.#check = check
  }

  /** Whether it is time to let others have their turn. */
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
