/**
 * How one projection goes forward: a step reads the next events that it handles, folds them into their rows, and saves rows and
 * checkpoint at once. The checkpoint moves by compare-and-set, so that nobody's step can double another's. Steps are
 * taken one at a time, whoever asks for them.
 */
import { ConflictError } from '../domain/error.ts'
import type { AnyProjection } from '../domain/projection.ts'
import type { EventStore, ProjectionStore, Row, StoredEvent } from '../store/store.ts'
import { type FoldedRows, foldRows, keyEvents } from './fold-rows.ts'

/** Events handled in one step. */
const batchSize = 1000
/** Positions that may be passed over without saving the checkpoint, when nothing in them is for this projection. */
const unsavedMax = 1000
/** Rows remembered from step to step; over it they are forgotten and loaded again. */
const knownRowsMax = 10_000

/** What a step came to. */
export interface StepResult {
  /** The events that it folded; 0 if another runner was faster. */
  readonly events: number
  /** Whether there is nothing left to handle. */
  readonly caughtUp: boolean
}

export class Steps {
  readonly #projection: AnyProjection
  readonly #store: EventStore & ProjectionStore
  readonly #onReached: (position: number) => void
  readonly #types: readonly string[]
  /** Rows as they were stored at the checkpoint `#saved`, which its compare-and-set proves to be still the truth. */
  readonly #known = new Map<string, Row['value']>()
  #saved = 0
  #handled = 0
  #last: Promise<unknown> = Promise.resolve()

  /** @param onReached told each position up to which everything is handled */
  constructor(projection: AnyProjection, store: EventStore & ProjectionStore, onReached: (position: number) => void) {
    this.#projection = projection
    this.#store = store
    this.#onReached = onReached
    this.#types = [...projection.folds.keys()]
  }

  /** The last position that is handled. */
  get position(): number {
    return this.#handled
  }

  /** Goes to the stored checkpoint. */
  load(): Promise<void> {
    return this.#alone(() => this.#load())
  }

  /** Saves the checkpoint behind what was passed over: such events need no write each. */
  save(): Promise<void> {
    return this.#alone(() => this.#saveCheckpoint())
  }

  /** Begins behind a position, if the projection has not begun yet. */
  beginBehind(position: number): Promise<void> {
    return this.#alone(async () => {
      await this.#load()
      if (this.#saved > 0 || position === 0) return
      this.#reach(position)
      await this.#saveCheckpoint()
    })
  }

  /**
   * Handles the next batch.
   *
   * @throws ProjectionError `PROJECTION_FAILED`, standing before the event that failed
   */
  step(): Promise<StepResult> {
    return this.#alone(() => this.#step())
  }

  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }

  async #load(): Promise<void> {
    this.#known.clear()
    this.#saved = await this.#store.loadCheckpoint(this.#projection.name)
    this.#reach(this.#saved)
  }

  #reach(position: number): void {
    this.#handled = position
    this.#onReached(position)
  }

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

  async #step(): Promise<StepResult> {
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
      await this.#load()
      return { events: 0, caughtUp: false }
    }
    if (failure !== undefined) throw failure
    return { events: page.events.length, caughtUp: page.events.length < batchSize }
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
