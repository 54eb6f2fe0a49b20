/**
 * Splits long work into pieces. In between, the event loop handles timers and input, so that nothing else has to wait.
 * `Breath` is for one long piece of work, `SharedBreath` for many short ones.
 */

/** The event loop, and a clock to measure it by. An `Environment` is one; `platformLoop` is that of the platform. */
export interface EventLoop {
  /** Milliseconds since some moment. */
  elapsed(): number
  /** Calls back when the event loop has handled the input and timers that are due. */
  defer(callback: () => void): void
}

/** How long work runs before it lets the event loop run. */
const breathAfterMs = 8

export class Breath {
  readonly #loop: EventLoop
  readonly #signal: AbortSignal | undefined
  #since: number

  /** @param signal ends the work at the next pause when it is aborted */
  constructor(loop: EventLoop, signal?: AbortSignal) {
    this.#loop = loop
    this.#signal = signal
    this.#since = loop.elapsed()
  }

  /** Whether the work has run for long enough. */
  get isDue(): boolean {
    return this.#loop.elapsed() - this.#since >= breathAfterMs
  }

  /** @throws the signal's reason, if it is aborted */
  throwIfAborted(): void {
    this.#signal?.throwIfAborted()
  }

  /** Lets the event loop run, if that is due. @throws the signal's reason, if it is aborted */
  async pause(): Promise<void> {
    this.throwIfAborted()
    if (!this.isDue) return
    await turnOf(this.#loop)
    this.#since = this.#loop.elapsed()
    this.throwIfAborted()
  }
}

/**
 * The same for many short calls. A store answers most calls at once, so a caller that makes one after the other would
 * block everything else. All calls since the event loop last ran count together, for all callers.
 */
export class SharedBreath {
  readonly #loop: EventLoop
  readonly #check: () => void
  /** The time of the first call since the event loop last ran, or undefined if there was none. */
  #since: number | undefined

  /** @param check called after each pause; its error ends the call */
  constructor(loop: EventLoop, check: () => void = () => {}) {
    this.#loop = loop
    this.#check = check
  }

  /** Whether the calls have run for long enough. */
  get isDue(): boolean {
    const now = this.#loop.elapsed()
    if (this.#since !== undefined) return now - this.#since >= breathAfterMs
    this.#since = now
    this.#loop.defer(() => {
      this.#since = undefined
    })
    return false
  }

  /** Lets the event loop run, if that is due. @throws what the check throws; the signal's reason, if it is aborted */
  async pause(signal?: AbortSignal): Promise<void> {
    if (!this.isDue) return
    await turnOf(this.#loop)
    this.#check()
    signal?.throwIfAborted()
  }
}

const turnOf = (loop: EventLoop): Promise<void> => new Promise((resolve) => loop.defer(resolve))
