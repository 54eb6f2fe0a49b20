/**
 * Tells an observer what happens (`observation.ts`). It counts what has started, so that everything ends exactly once:
 * a second end is ignored, and what has not ended when the domain has stopped is ended then. Where nobody observes,
 * there is no such object, and nothing is measured.
 */
import { CancelledError } from '../domain/error.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Environment } from './environment.ts'
import type { Departing, Observation, Observe, Observer } from './observation.ts'
import type { Warn } from './warning.ts'

/** The things that take time. */
export type Timed = Observation['kind'] extends infer Kind ? (Kind extends `${infer T} started` ? T : never) : never

type Of<Kind> = Extract<Observation, { readonly kind: Kind }>
type Without<Value, Keys extends PropertyKey> = Value extends unknown ? Omit<Value, Keys> : never
export type StartOf<T extends Timed> = Omit<Of<`${T} started`>, 'kind' | 'span' | 'atMs'>
export type EndOf<T extends Timed> = Omit<Of<`${T} ended`>, 'kind' | 'span' | 'atMs' | 'tookMs'>

/** The end of things that were cut short. */
const cutShort: { readonly [T in Timed]: EndOf<T> } = {
  command: {
    outcome: 'failed',
    code: 'STOPPED',
    events: 0,
    sequence: undefined,
    position: undefined,
    waitedMs: undefined,
    conflicts: 0,
  },
  load: { events: 0, snapshot: undefined },
  batch: { stored: 0, conflicts: 0, repeated: 0 },
  snapshot: {},
  forward: { outcome: 'lost' },
  step: { events: 0, position: 0, traceparents: [] },
  rebuild: { position: 0 },
  reaction: { outcome: 'later' },
  timer: { outcome: 'failed' },
}

/** Something that has started. */
export class Span<T extends Timed> {
  readonly id: number
  readonly #observing: Observing
  readonly #what: T
  readonly #beganAt: number

  constructor(observing: Observing, id: number, what: T, beganAt: number) {
    this.#observing = observing
    this.id = id
    this.#what = what
    this.#beganAt = beganAt
  }

  /** The time since the start, in milliseconds. */
  get elapsedMs(): number {
    return this.#observing.elapsed() - this.#beganAt
  }

  /** Tells that it has ended. Only the first call counts. */
  end(fields: EndOf<T>): void {
    if (!this.#observing.forget(this)) return
    const kind = `${this.#what} ended`
    this.#observing.tell({ kind, span: this.id, tookMs: this.elapsedMs, ...fields } as unknown as Without<
      Observation,
      'atMs'
    >)
  }

  /** Tells of something that happened to it. */
  note(observation: Without<Extract<Observation, { readonly parent: number }>, 'atMs' | 'parent'>): void {
    this.#observing.tell({ ...observation, parent: this.id })
  }

  /** Tells that it was cut short. */
  cut(error: unknown): void {
    this.end({ ...cutShort[this.#what], error })
  }
}

export class Observing {
  readonly #observer: Observer
  readonly #environment: Environment
  readonly #warn: Warn
  readonly #open = new Set<Span<Timed>>()
  #spans = 0
  #isClosed = false
  #hasFailed = false

  /** @param warn does not tell the observer */
  constructor(observer: Observe | Observer, environment: Environment, warn: Warn) {
    this.#observer = typeof observer === 'function' ? { observe: observer } : observer
    this.#environment = environment
    this.#warn = warn
  }

  elapsed(): number {
    return this.#environment.elapsed()
  }

  /** The number of the next span, for something that is marked before it is told. */
  nextSpan(): number {
    return ++this.#spans
  }

  /** The metadata that the observer gives to a command. Never throws. */
  markOf(command: Departing): JsonObject | undefined {
    if (this.#isClosed) return undefined
    try {
      return this.#observer.mark?.(command)
    } catch (cause) {
      this.#failed(cause)
      return undefined
    }
  }

  /** Runs something as the observer wants it: exactly once, whatever the observer does. */
  surround<Result>(span: number, run: () => Promise<Result>): Promise<Result> {
    if (this.#observer.surround === undefined || this.#isClosed) return run()
    let result: Promise<Result> | undefined
    const runOnce = () => {
      result ??= run()
      return result
    }
    try {
      // If it gives another promise, that one says nothing about what was run.
      this.#observer.surround(span, runOnce).catch(() => {})
    } catch (cause) {
      this.#failed(cause)
    }
    return runOnce()
  }

  /**
   * Tells that something has started.
   *
   * @param beganAt when, as `elapsed` says
   * @param id from `nextSpan`
   */
  start<T extends Timed>(
    what: T,
    fields: StartOf<T>,
    beganAt: number = this.elapsed(),
    id: number = this.nextSpan(),
  ): Span<T> {
    const span = new Span(this, id, what, beganAt)
    if (this.#isClosed) return span
    this.#open.add(span as unknown as Span<Timed>)
    this.tell({ kind: `${what} started`, span: span.id, ...fields } as unknown as Without<Observation, 'atMs'>)
    return span
  }

  /** Tells the observer. Never throws. */
  tell(observation: Without<Observation, 'atMs'>): void {
    if (this.#isClosed) return
    try {
      const told = this.#observer.observe({ ...observation, atMs: this.#environment.now() } as Observation)
      if (told instanceof Promise) told.catch(this.#failed)
    } catch (cause) {
      this.#failed(cause)
    }
  }

  /** Notes that a span has ended. @returns whether it was open */
  forget(span: Span<any>): boolean {
    return this.#open.delete(span)
  }

  /** Ends what has not ended, and tells nothing from then on. */
  close(): void {
    for (const span of [...this.#open]) span.cut(new CancelledError('STOPPED', { what: 'What was observed' }))
    this.#isClosed = true
  }

  readonly #failed = (cause: unknown): void => {
    if (this.#hasFailed) return
    this.#hasFailed = true
    const message = 'The observer of this domain failed. Further failures of it are not reported'
    this.#warn({ code: 'OBSERVER_FAILED', message, cause })
  }
}
