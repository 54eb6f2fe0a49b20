/** Notes whether the log has grown, for a step that is busy with other work and does not wait. */
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

  /** Whether the log may have grown since it was read. */
  get hasGrown(): boolean {
    return this.#hasGrown
  }

  /** Call this before reading. */
  mark(): void {
    this.#follower.mark()
    this.#hasGrown = false
  }

  /** Calls `onGrowth` when the log grows. @param examined the last position that was examined */
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
    // Nobody reads the reason. Without one the platform makes an error with a stack.
    this.#closed.abort(null)
    this.#follower.close()
  }
}
