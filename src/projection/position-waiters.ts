/** Readers that wait until a projection has handled a position: each with a time limit, and told at once if it never will. */
import { CancelledError, ProjectionError } from '../domain/error.ts'
import type { Environment } from '../kernel/environment.ts'
import type { Retrying } from './tries.ts'

interface Waiter {
  readonly atLeast: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class PositionWaiters {
  readonly #projection: string
  readonly #environment: Environment
  readonly #why: () => Retrying | undefined
  readonly #waiting = new Set<Waiter>()
  #position = 0
  #failure: unknown

  /** @param why what holds the projection up at present */
  constructor(projection: string, environment: Environment, why: () => Retrying | undefined) {
    this.#projection = projection
    this.#environment = environment
    this.#why = why
  }

  get someoneWaits(): boolean {
    return this.#waiting.size > 0
  }

  /** @throws ProjectionError `PROJECTION_BEHIND`, what `fail` was given, or the signal's reason */
  wait(atLeast: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#position >= atLeast) return Promise.resolve()
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        this.#waiting.delete(waiter)
        cancel()
        signal?.removeEventListener('abort', onAbort)
        end()
      }
      const waiter = {
        atLeast,
        resolve: () => settle(resolve),
        reject: (error: unknown) => settle(() => reject(error)),
      }
      const onAbort = () => waiter.reject(signal?.reason)
      const cancel = this.#environment.after(timeoutMs, () => {
        const facts = { projection: this.#projection, position: this.#position, atLeast, waitedMs: timeoutMs }
        const { error, ...retrying } = this.#why() ?? {}
        const known = error === undefined ? facts : { ...facts, retrying }
        waiter.reject(new ProjectionError('PROJECTION_BEHIND', known, error))
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(waiter)
    })
  }

  /** The projection is run again. */
  begin(): void {
    this.#failure = undefined
  }

  /** The projection has handled this position. */
  reach(position: number): void {
    this.#position = position
    this.#failure = undefined
    for (const waiter of this.#waiting) if (waiter.atLeast <= position) waiter.resolve()
  }

  /** The projection has stopped at an event that it cannot handle. */
  fail(error: unknown): void {
    this.#failure = error
    for (const waiter of this.#waiting) waiter.reject(error)
  }

  /** The projection is stopped for good. */
  end(): void {
    const what = `Waiting for the projection ${this.#projection}`
    this.fail(new CancelledError('STOPPED', { what }))
  }
}
