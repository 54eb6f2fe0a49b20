/** Reads the rows of a projection, at once or after its runner has handled a position. */
import { hasCode } from '../../domain/error.ts'
import type { AnyProjection } from '../../domain/projection.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { ProjectionStore } from '../../store/store.ts'
import type { Generations } from '../checkpoint/generations.ts'
import type { Runner } from '../running/runner.ts'
import type { WaitOptions } from '../running/status.ts'
import { checkRowKey, storedKey } from '../stored/row-key.ts'
import { decodeRow } from '../stored/row-value.ts'
import { countRows, findRows } from './find.ts'
import { type AnyRow, checkFilter, checkQuery, type Filter, type FoundPage, type Query } from './query.ts'
import type { RowSource } from './row-source.ts'

export interface ReadModelOptions {
  readonly projection: AnyProjection
  readonly store: ProjectionStore
  readonly runner: Runner
  readonly generations: Generations
  readonly environment: Environment
}

export class ReadModelReader {
  readonly #projection: AnyProjection
  readonly #store: ProjectionStore
  readonly #runner: Runner
  readonly #generations: Generations
  readonly #environment: Environment
  /** Whether the recognition was checked. A running runner checks it itself. */
  #isRecognised = false

  constructor({ projection, store, runner, generations, environment }: ReadModelOptions) {
    this.#projection = projection
    this.#store = store
    this.#runner = runner
    this.#generations = generations
    this.#environment = environment
  }

  get projection(): AnyProjection {
    return this.#projection
  }

  /** The name under which the live rows are stored, also those of a newer revision than this program's. */
  async storage(): Promise<string> {
    await this.#generations.load().catch((error: unknown) => {
      if (!hasCode(error, 'PROJECTION_OUTDATED')) throw error
    })
    return this.#generations.live.storage
  }

  /**
   * @throws InputError `ID_INVALID`; ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED`, `PROJECTION_OUTDATED`,
   *   `PROJECTION_CHANGED`
   */
  async get(key: string, wait: WaitOptions): Promise<unknown> {
    checkRowKey(key)
    const store = this.#store
    return this.#read(
      wait,
      async (storage) => {
        const [value] = await store.loadRows(storage, [storedKey(key)])
        return value === undefined ? undefined : { row: decodeRow({ store, storage }, key, value) }
      },
      (found) => found !== undefined,
    ).then((found) => found?.row)
  }

  /**
   * @param charactersMax ends the page with the row with which it has so many characters of JSON
   * @throws DefinitionError `OPTION_INVALID`; ProjectionError as `get`; the signal's reason
   */
  async find(query: Query<AnyRow>, wait: WaitOptions, charactersMax?: number): Promise<FoundPage<unknown>> {
    checkQuery(query, this.#projection.initial())
    return this.#readAll(wait, (source) => findRows(source, query, charactersMax))
  }

  /** @throws DefinitionError `OPTION_INVALID`; ProjectionError as `get`; the signal's reason */
  async count(filter: Filter<AnyRow>, wait: WaitOptions): Promise<number> {
    checkFilter(filter, this.#projection.initial())
    return this.#readAll(wait, (source) => countRows(source, filter))
  }

  #readAll<Result>(wait: WaitOptions, read: (source: RowSource) => Promise<Result>): Promise<Result> {
    const store = this.#store
    return this.#read(
      wait,
      (storage) => read({ store, storage, breath: new Breath(this.#environment, wait.signal) }),
      () => false,
    )
  }

  /**
   * Reads the live rows, and reads again if other rows became live meanwhile.
   *
   * @param isWhole whether the result certainly does not come from rows that are being deleted
   */
  async #read<Result>(
    wait: WaitOptions,
    read: (storage: string) => Promise<Result>,
    isWhole: (result: Result) => boolean,
  ): Promise<Result> {
    for (;;) {
      const storage = await this.#reached(wait)
      if (this.#runner.unreadable !== undefined) throw this.#runner.unreadable
      const result = await read(storage)
      if (isWhole(result)) return result
      await this.#generations.load()
      if (this.#generations.live.storage === storage) return result
      await this.#runner.bookmark.refresh()
    }
  }

  /** Waits as it is told. @returns the name under which the live rows are stored, which are that far */
  async #reached(wait: WaitOptions): Promise<string> {
    const { bookmark } = this.#runner
    await this.#runner.reached(wait)
    // A running runner reads itself which rows are live.
    if (this.#runner.alive) await this.#generations.loadOnce()
    else await this.#generations.load()
    if (!this.#runner.alive && !this.#isRecognised) await bookmark.look()
    this.#isRecognised = true
    for (;;) {
      const { storage, position } = bookmark
      // The position is that of other rows. This waits for a step in progress, so it is done only then.
      if (storage !== this.#generations.live.storage) await bookmark.refresh()
      // Rows that became live meanwhile may be a little behind the rows before.
      else if (position < (wait.atLeast ?? 0)) await this.#runner.reached(wait)
      else return storage
    }
  }
}
