/**
 * Keeps one projection up with the log: reads the events that it handles in batches, folds them into its rows, and saves
 * rows and checkpoint in one step. The step moves the checkpoint by compare-and-set, so a second runner cannot double an event.
 * Woken by the store's hint, with a slow poll behind it. It stops at the first event that cannot be folded, in front of it.
 */
import { decode } from '../domain/encoding.ts'
import { ConflictError, ProjectionError } from '../domain/error.ts'
import type { AnyProjection } from '../domain/projection.ts'
import { backOffMs, type Environment, sleep } from '../kernel/environment.ts'
import type { Warn } from '../kernel/warning.ts'
import type { EventStore, ProjectionStore, Row, StoredEvent } from '../store/store.ts'
import { type Found, findRows, type Query } from './find.ts'
import { type FoldedRows, foldRows, keyEvents } from './fold-rows.ts'
import { PositionWaiters } from './position-waiters.ts'
import { Tail } from './tail.ts'

export interface RunnerOptions {
  readonly projection: AnyProjection
  readonly store: EventStore & ProjectionStore
  readonly environment: Environment
  readonly warn: Warn
  /** How often to look without a hint. */
  readonly pollIntervalMs: number
}

/** Where a run came to. */
export interface RunResult {
  /** The last position that the projection has handled. */
  readonly position: number
  /** The events that this run folded into rows. */
  readonly events: number
}

/** How long a reader waits for a position, and what may end the wait. */
export interface WaitOptions {
  /** Wait until the projection has handled this position: `outcome.position` reads your own write. */
  readonly atLeast?: number
  /** 5,000 by default; after it `PROJECTION_BEHIND` is thrown. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Events handled in one step. */
const batchSize = 1000
/** Positions that may be passed over without saving the checkpoint, when nothing in them is for this projection. */
const unsavedMax = 1000
/** Rows remembered from step to step; over it they are forgotten and loaded again. */
const knownRowsMax = 10_000
const retryFirstMs = 50
const retryMaxMs = 5_000
const waitTimeoutMsDefault = 5_000

export class Runner {
  readonly #projection: AnyProjection
  readonly #store: EventStore & ProjectionStore
  readonly #environment: Environment
  readonly #warn: Warn
  readonly #pollIntervalMs: number
  readonly #types: readonly string[]
  readonly #waiters: PositionWaiters
  /** Rows as they were stored at the checkpoint `#saved`, which its compare-and-set proves to be still the truth. */
  readonly #known = new Map<string, Row['value']>()
  #saved = 0
  #handled = 0
  #running: Promise<void> | undefined
  #last: Promise<unknown> = Promise.resolve()
  /** Of the store, in a row. */
  #failures = 0
  #stopping = new AbortController()

  constructor({ projection, store, environment, warn, pollIntervalMs }: RunnerOptions) {
    this.#projection = projection
    this.#store = store
    this.#environment = environment
    this.#warn = warn
    this.#pollIntervalMs = pollIntervalMs
    this.#types = [...projection.folds.keys()]
    this.#waiters = new PositionWaiters(projection.name, environment)
  }

  get projection(): AnyProjection {
    return this.#projection
  }

  /** Follows the log until `stop`. Starting twice is one start. */
  start(): void {
    this.#running ??= this.#follow()
  }

  /** Ends the run after the step that is under way, and saves how far it came. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#waiters.end()
  }

  /**
   * Handles what is in the log now, from the stored checkpoint on.
   *
   * @throws ProjectionError `PROJECTION_FAILED`
   */
  async runOnce(): Promise<RunResult> {
    await this.#alone(() => this.#loadCheckpoint())
    let events = 0
    for (;;) {
      const handled = await this.#alone(() => this.#step())
      events += handled ?? 0
      if (handled !== undefined && handled < batchSize) break
    }
    await this.#alone(() => this.#saveCheckpoint())
    return { position: this.#handled, events }
  }

  /**
   * A row, at once or when the projection has come far enough.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, or `PROJECTION_FAILED` if it stands before a bad event
   */
  async get(key: string, wait: WaitOptions): Promise<unknown> {
    await this.#reached(wait)
    const [row] = await this.#store.loadRows(this.#projection.name, [key])
    return row === undefined ? undefined : decode(row)
  }

  /**
   * Rows that answer a query, likewise.
   *
   * @throws DefinitionError `OPTION_INVALID`; ProjectionError
   */
  async find(query: Query<Record<string, unknown>>, wait: WaitOptions): Promise<readonly Found<unknown>[]> {
    await this.#reached(wait)
    return findRows(this.#store, this.#projection.name, query)
  }

  async #reached({ atLeast, timeoutMs = waitTimeoutMsDefault, signal }: WaitOptions): Promise<void> {
    signal?.throwIfAborted()
    if (atLeast !== undefined) await this.#waiters.wait(atLeast, timeoutMs, signal)
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping
    const tail = new Tail(this.#store, this.#environment, this.#pollIntervalMs)
    for (this.#failures = 0; !signal.aborted; ) {
      try {
        await this.#alone(() => this.#loadCheckpoint())
        await this.#followFrom(tail, signal)
      } catch (error) {
        if (error instanceof ProjectionError) break
        if (this.#failures++ === 0) {
          const message = `The projection ${this.#projection.name} is held up, and tries again until it can go on`
          this.#warn({ code: 'PROJECTION_DELAYED', message, cause: error })
        }
        await sleep(this.#environment, backOffMs(this.#environment, this.#failures, retryFirstMs, retryMaxMs), signal)
      }
    }
    tail.close()
    await this.#alone(() => this.#saveCheckpoint()).catch(() => {})
  }

  async #followFrom(tail: Tail, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      tail.mark()
      const handled = await this.#alone(() => this.#step())
      this.#failures = 0
      if (handled !== undefined && handled < batchSize) await tail.wait(signal)
    }
  }

  /** One thing at a time: running once beside following must not mix up what they remember. */
  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }

  async #loadCheckpoint(): Promise<void> {
    this.#known.clear()
    this.#saved = await this.#store.loadCheckpoint(this.#projection.name)
    this.#reach(this.#saved)
  }

  #reach(position: number): void {
    this.#handled = position
    this.#waiters.reach(position)
  }

  /** Passed-over events need no write each: the checkpoint behind them is saved now and then, and at the end. */
  async #saveCheckpoint(): Promise<void> {
    const [from, to] = [this.#saved, this.#handled]
    if (from === to) return
    try {
      await this.#store.saveStep(this.#projection.name, { from, to, rows: [] })
      this.#saved = to
    } catch (error) {
      // Another runner is further, or will be.
      if (!(error instanceof ConflictError)) throw error
    }
  }

  /** Handles one batch; says how many events it had, or nothing if another runner was faster. */
  async #step(): Promise<number | undefined> {
    // What the rows are computed from is saved against just this checkpoint, whoever moves it meanwhile.
    const from = this.#saved
    const range = { from: this.#handled + 1, to: Number.POSITIVE_INFINITY }
    const page = await this.#store.readAll(range, { types: this.#types, limit: batchSize })
    const { rows, failure } = await this.#fold(page.events)
    const position = failure === undefined ? page.examined : failure.facts.position - 1
    try {
      await this.#save(from, position, rows, failure !== undefined)
    } catch (error) {
      // Another runner was faster: its rows are as good as these. Go on from where it is.
      if (!(error instanceof ConflictError)) throw error
      await this.#loadCheckpoint()
      return undefined
    }
    if (failure === undefined) return page.events.length
    this.#waiters.fail(failure)
    this.#warn({ code: 'PROJECTION_STOPPED', message: failure.message, cause: failure.cause })
    throw failure
  }

  async #fold(events: readonly StoredEvent[]): Promise<FoldedRows> {
    const batch = keyEvents(this.#projection, events)
    if (batch.keyed.length === 0) return { rows: [], failure: batch.failure }
    const { rows, failure } = foldRows(this.#projection, batch.keyed, await this.#storedRows(batch.keys))
    return { rows, failure: failure ?? batch.failure }
  }

  /** Rows as they are stored; those of the last steps are remembered. */
  async #storedRows(keys: readonly string[]): Promise<ReadonlyMap<string, Row['value']>> {
    const missing = keys.filter((key) => !this.#known.has(key))
    if (missing.length > 0) {
      const values = await this.#store.loadRows(this.#projection.name, missing)
      for (const [i, key] of missing.entries()) this.#known.set(key, values[i])
    }
    return this.#known
  }

  async #save(from: number, to: number, rows: readonly Row[], isLast: boolean): Promise<void> {
    if (rows.length > 0 || to - from >= unsavedMax || (isLast && to > from)) {
      await this.#store.saveStep(this.#projection.name, { from, to, rows })
      this.#saved = to
      for (const { key, value } of rows) this.#known.set(key, value)
    }
    if (this.#known.size > knownRowsMax) this.#known.clear()
    this.#reach(to)
  }
}
