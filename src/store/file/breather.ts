/**
 * Lets the event loop turn in the midst of long work, every few milliseconds, and asks the signal then. Work over what users may
 * make as large as they like asks `isDue` between its pieces, and rests if it is.
 */

/** Taken when the module is loaded: tests replace the global ones, and would hold the store up. */
const { setImmediate: nextTurn } = globalThis
const now = performance.now.bind(performance)

const turnMsMax = 8

export class Breather {
  readonly #signal: AbortSignal | undefined
  #since = now()

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  get isDue(): boolean {
    return now() - this.#since > turnMsMax
  }

  throwIfAborted(): void {
    this.#signal?.throwIfAborted()
  }

  /** @throws the signal's reason, if it is aborted by then */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => nextTurn(resolve))
    this.#signal?.throwIfAborted()
    this.#since = now()
  }
}
