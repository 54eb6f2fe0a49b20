/**
 * How a projection goes forward: a step reads the next events that it handles, folds them into their rows, and saves rows and
 * checkpoint at once. Steps are taken one at a time, whoever asks for them.
 */
import type { AnyProjection } from '../domain/projection.ts'
import type { Warn } from '../kernel/warning.ts'
import type { EventStore, ProjectionStore, Row, StoredEvent } from '../store/store.ts'
import { Checkpoint } from './checkpoint.ts'
import { Exclusive } from './exclusive.ts'
import { type FoldedRows, foldRows, keyEvents } from './fold-rows.ts'
import type { Stepper, StepResult } from './stepper.ts'

/** Events handled in one step. */
const batchSize = 1000
/** Rows remembered from step to step; over it they are forgotten and loaded again. */
const knownRowsMax = 10_000

export class ProjectionSteps implements Stepper {
  readonly #projection: AnyProjection
  readonly #store: EventStore & ProjectionStore
  readonly #warn: Warn
  readonly #types: readonly string[]
  readonly #checkpoint: Checkpoint
  readonly #exclusive = new Exclusive()
  /** Rows as they are stored at the checkpoint, whose compare-and-set proves them to be still the truth. */
  readonly #known = new Map<string, Row['value']>()

  /** @param onReached told each position up to which everything is handled */
  constructor(
    projection: AnyProjection,
    store: EventStore & ProjectionStore,
    warn: Warn,
    onReached: (position: number) => void,
  ) {
    this.#warn = warn
    this.#projection = projection
    this.#store = store
    this.#types = [...projection.folds.keys()]
    this.#checkpoint = new Checkpoint(projection.name, store, onReached)
  }

  get position(): number {
    return this.#checkpoint.position
  }

  load(): Promise<void> {
    return this.#exclusive.run(() => this.#load())
  }

  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      this.#known.clear()
      await this.#checkpoint.beginBehind(position)
    })
  }

  save(): Promise<void> {
    return this.#exclusive.run(() => this.#checkpoint.flush())
  }

  step(): Promise<StepResult> {
    return this.#exclusive.run(() => this.#step())
  }

  async #load(): Promise<void> {
    this.#known.clear()
    await this.#checkpoint.load()
  }

  async #step(): Promise<StepResult> {
    const range = { from: this.position + 1, to: Number.POSITIVE_INFINITY }
    const page = await this.#store.readAll(range, { types: this.#types, limit: batchSize })
    const { rows, failure } = await this.#fold(page.events)
    const skips = failure !== undefined && this.#projection.giveUp === 'skip'
    const position = failure === undefined ? page.examined : failure.facts.position - (skips ? 0 : 1)
    if (!(await this.#checkpoint.advance(position, rows, failure !== undefined))) {
      // Another runner was faster: its rows are as good as these. Go on from where it is.
      await this.#load()
      return { events: 0, caughtUp: false }
    }
    for (const { key, value } of rows) this.#known.set(key, value)
    if (this.#known.size > knownRowsMax) this.#known.clear()
    if (skips) {
      const message = `The projection ${this.#projection.name} skips ${failure.facts.event} at ${failure.facts.position}`
      this.#warn({ code: 'PROJECTION_SKIPPED', message, cause: failure.cause })
      return { events: page.events.filter((event) => event.position < position).length, caughtUp: false }
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
}
