/**
 * Calls that work on projections and reactions, beside the runs that follow the log: single runs, retries of parked
 * events, rebuilds. When the domain stops, they are asked to end and waited for. Otherwise handlers would still be
 * called after the stop, and what they did could not be saved any more.
 */
import { CancelledError } from '../domain/error.ts'

interface Call {
  readonly doing: string
  readonly ending: AbortController
  readonly isOver: Promise<void>
}

export class UnderWay {
  readonly #calls = new Set<Call>()
  #isEnded = false

  /** @throws CancelledError `STOPPED` */
  refuseIfEnded(doing: string): void {
    if (this.#isEnded) throw new CancelledError('STOPPED', { what: doing })
  }

  /**
   * Does work that ends soon after the signal is aborted.
   *
   * @param doing names the work in the error
   * @param asked a signal of the caller, which ends the work too
   * @throws CancelledError `STOPPED`; what the work throws
   */
  async run<Result>(
    doing: string,
    work: (signal: AbortSignal) => Promise<Result>,
    asked?: AbortSignal,
  ): Promise<Result> {
    this.refuseIfEnded(doing)
    const ending = new AbortController()
    const end = () => ending.abort(asked?.reason)
    if (asked?.aborted) end()
    asked?.addEventListener('abort', end, { once: true })
    const { promise: isOver, resolve } = Promise.withResolvers<void>()
    const call: Call = { doing, ending, isOver }
    this.#calls.add(call)
    try {
      return await work(ending.signal)
    } finally {
      asked?.removeEventListener('abort', end)
      this.#calls.delete(call)
      resolve()
    }
  }

  /** Ends all calls, and waits for them. Later ones are refused. */
  async stop(): Promise<void> {
    this.#isEnded = true
    const calls = [...this.#calls]
    for (const { ending, doing } of calls) ending.abort(new CancelledError('STOPPED', { what: doing }))
    await Promise.all(calls.map(({ isOver }) => isOver))
  }
}
