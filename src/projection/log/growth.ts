/** Whether the log has grown, for one who is busy with other things: it is told, and need not ask. */
import type { Follower, Tail } from './tail.ts'

export class Growth {
  readonly #follower: Follower
  readonly #onGrowth: () => void
  readonly #closed = new AbortController()
  #isWatching = false
  #hasGrown = false

  constructor(tail: Tail, onGrowth: () => void) {
    this.#follower = tail.follow()
    this.#onGrowth = onGrowth
  }

  /** Whether there may be more in the log than when it was read. */
  get hasGrown(): boolean {
    return this.#hasGrown
  }

  /** To be called before reading. */
  mark(): void {
    this.#follower.mark()
    this.#hasGrown = false
  }

  /** Tells when the log grows. @param examined the last position that was looked at */
  watch(examined: () => number): void {
    if (this.#isWatching) return
    this.#isWatching = true
    void this.#follower.wait(this.#closed.signal, { examined }).then(() => {
      this.#isWatching = false
      if (this.#closed.signal.aborted) return
      this.#hasGrown = true
      this.#onGrowth()
    })
  }

  close(): void {
    this.#closed.abort()
    this.#follower.close()
  }
}
