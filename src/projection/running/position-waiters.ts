/**
 * Readers that wait until a projection has handled a position. Each has a time limit, and fails at once if the
 * projection fails. Readers are kept by position, so those that wait for later positions cost nothing. Many readers are
 * answered in pieces.
 */
import { CancelledError, ProjectionError } from '../../domain/error.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import { firstFrom } from '../../store/ordered-keys.ts'
import type { Retrying } from '../failures/tries.ts'

/** Why a projection is delayed, as far as this process knows. */
export interface HeldUp {
  /** The failure that is tried again. */
  readonly retrying: Retrying | undefined
  /** The time until which another process has the lease. */
  readonly othersUntil: number | undefined
  readonly pausedSince?: Date | undefined
}

interface Waiter {
  readonly atLeast: number
  /** Whether the position was read since it waits, if it has to be. An older answer may come meanwhile. */
  isKnown: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class PositionWaiters {
  readonly #projection: string
  readonly #environment: Environment
  readonly #why: () => HeldUp
  /** The waiting readers, by position. */
  readonly #waiting = new Map<number, Set<Waiter>>()
  /** The positions that readers wait for, ascending. */
  #positions: number[] = []
  /** The functions that end waits which are over, in order. */
  #over: (() => void)[] = []
  #position = 0
  #failure: unknown

  /** @param why returns why the projection is delayed */
  constructor(projection: string, environment: Environment, why: () => HeldUp) {
    this.#projection = projection
    this.#environment = environment
    this.#why = why
  }

  /** Why waiting fails. Cleared when the projection is run again or moves. */
  get failure(): unknown {
    return this.#failure
  }

  /** The first position that somebody waits for. */
  get nearest(): number | undefined {
    return this.#positions[0]
  }

  /**
   * @param look reads the position, if it may have changed; if it fails, the wait fails with its error
   * @throws ProjectionError `PROJECTION_BEHIND`, the error given to `fail`, or the signal's reason
   */
  wait(atLeast: number, timeoutMs: number, signal: AbortSignal | undefined, look?: Promise<void>): Promise<void> {
    const isThere = () => this.#position >= atLeast
    if (look === undefined && isThere()) return Promise.resolve()
    if (look === undefined && this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        this.#remove(waiter)
        cancel()
        signal?.removeEventListener('abort', onAbort)
        end()
      }
      const waiter: Waiter = {
        atLeast,
        isKnown: look === undefined,
        resolve: () => settle(resolve),
        reject: (error: unknown) => settle(() => reject(error)),
      }
      const onAbort = () => waiter.reject(signal?.reason)
      const cancel = this.#environment.after(timeoutMs, () => {
        this.#remove(waiter)
        this.#tell([
          () => {
            if (waiter.isKnown && isThere()) waiter.resolve()
            else waiter.reject(this.#behind(atLeast, timeoutMs))
          },
        ])
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#add(waiter)
      look?.then(() => {
        waiter.isKnown = true
        if (isThere()) waiter.resolve()
      }, waiter.reject)
    })
  }

  /** The projection runs again, so readers may wait again. */
  begin(): void {
    this.#failure = undefined
  }

  /** The projection has handled this position. */
  reach(position: number): void {
    this.#position = position
    this.#failure = undefined
    if (this.#positions.length === 0 || this.#positions[0]! > position) return
    this.#endUpTo(
      position,
      ({ resolve }) => resolve,
      ({ isKnown }) => isKnown,
    )
  }

  /** The projection has stopped at an event that it cannot handle. */
  fail(error: unknown): void {
    this.#failure = error
    this.#endUpTo(
      Number.POSITIVE_INFINITY,
      ({ reject }) =>
        () =>
          reject(error),
    )
  }

  /** The projection is stopped for good. */
  end(): void {
    const what = `Waiting for the projection ${this.#projection}`
    this.fail(new CancelledError('STOPPED', { what }))
  }

  #behind(atLeast: number, waitedMs: number): ProjectionError {
    const { retrying: { error, ...retrying } = {}, othersUntil, pausedSince } = this.#why()
    const facts = {
      projection: this.#projection,
      position: this.#position,
      atLeast,
      waitedMs,
      ...(error !== undefined && { retrying }),
      ...(othersUntil !== undefined && { leader: { until: new Date(othersUntil) } }),
      ...(pausedSince !== undefined && { pausedSince }),
    }
    return new ProjectionError('PROJECTION_BEHIND', facts, error)
  }

  // -- the waiting ----------------------------------------------------------------------------------------

  #add(waiter: Waiter): void {
    const { atLeast } = waiter
    const there = this.#waiting.get(atLeast)
    if (there !== undefined) {
      there.add(waiter)
      return
    }
    this.#waiting.set(atLeast, new Set([waiter]))
    this.#positions.splice(firstFrom(this.#positions, atLeast), 0, atLeast)
  }

  #remove(waiter: Waiter): void {
    const { atLeast } = waiter
    const there = this.#waiting.get(atLeast)
    if (there?.delete(waiter) !== true || there.size > 0) return
    this.#waiting.delete(atLeast)
    this.#positions.splice(firstFrom(this.#positions, atLeast), 1)
  }

  /** Ends the waits for positions up to a position. @param isMeant which of them */
  #endUpTo(
    position: number,
    ending: (waiter: Waiter) => () => void,
    isMeant: (waiter: Waiter) => boolean = () => true,
  ): void {
    const endings: (() => void)[] = []
    const left: number[] = []
    const firstLater = this.#positions.findIndex((each) => each > position)
    for (const each of this.#positions.splice(0, firstLater === -1 ? this.#positions.length : firstLater)) {
      const there = this.#waiting.get(each)!
      for (const waiter of there) {
        if (!isMeant(waiter)) continue
        endings.push(ending(waiter))
        there.delete(waiter)
      }
      if (there.size > 0) left.push(each)
      else this.#waiting.delete(each)
    }
    if (left.length > 0) this.#positions = [...left, ...this.#positions]
    this.#tell(endings)
  }

  #tell(endings: readonly (() => void)[]): void {
    const isIdle = this.#over.length === 0
    for (const ending of endings) this.#over.push(ending)
    if (isIdle) void this.#tellAll()
  }

  async #tellAll(): Promise<void> {
    const breath = new Breath(this.#environment)
    for (let next = 0; next < this.#over.length; next++) {
      if (breath.isDue) await breath.pause()
      this.#over[next]!()
    }
    this.#over = []
  }
}
