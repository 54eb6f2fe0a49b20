/** What is known of an instance that could not be loaded. It is loaded again after a pause, which grows. */
import { hasCode, LoadError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import { backOffMs, type Environment, isAhead } from '../runtime/environment.ts'

const firstMs = 100
const maxMs = 30_000
/** The longest pause after a failure of the whole store: when it is back, its aggregates soon work again. */
const outageMaxMs = 1000

export class LoadFailures {
  #count = 0
  #last: { readonly cause: unknown; readonly retryAt: number } | undefined = undefined

  /** Whether it is too early to load it again. */
  isPausing(nowMs: number): boolean {
    return this.#last !== undefined && isAhead(this.#last.retryAt, nowMs, maxMs)
  }

  note(cause: unknown, environment: Environment): void {
    const mostMs = hasCode(cause, 'STORE_UNAVAILABLE') ? outageMaxMs : maxMs
    const delayMs = backOffMs(environment, this.#count++, firstMs, mostMs)
    this.#last = { cause, retryAt: environment.now() + delayMs }
  }

  clear(): void {
    this.#count = 0
    this.#last = undefined
  }

  /** For a command that comes during the pause. */
  error(stream: StreamId, nowMs: number): LoadError {
    const { cause, retryAt } = this.#last!
    return new LoadError('AGGREGATE_LOAD_FAILED', { stream, retryInMs: Math.max(0, retryAt - nowMs) }, cause)
  }
}
