/**
 * Keeps the rows of the last steps in memory, so that they need not be read again. The compare-and-set of the
 * checkpoint proves that they are still current. If there are too many, all are dropped.
 */
import type { Json } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import { changedEntries, type Index } from '../stored/index-entries.ts'
import { isOwnKey } from '../stored/row-key.ts'

/** The number of rows that are kept from step to step. */
const rowsMax = 10_000

export class RememberedRows {
  readonly #values = new Map<string, Json | undefined>()
  #indexes: readonly Index[] = []

  /** Drops all rows. A row is read again when it is needed. */
  load(_store: ProjectionStore, _storage: string, _breath: Breath, indexes: readonly Index[]): void {
    this.#indexes = indexes
    this.#values.clear()
  }

  /** Applies rows that were saved, except the projection's own rows. */
  apply(rows: readonly Row[]): void {
    for (const { key, value } of rows) if (!isOwnKey(key)) this.#values.set(key, value)
    if (this.#values.size > rowsMax) this.#values.clear()
  }

  /** Rows with the entries of indexes that change with them. @param before the stored values, by the keys */
  withEntries(before: ReadonlyMap<string, Json | undefined>, rows: readonly Row[]): readonly Row[] {
    return [...rows, ...changedEntries(this.#indexes, before, rows)]
  }

  /** The stored values of the wanted rows, and perhaps of more rows. */
  async valuesOf(
    keys: ReadonlySet<string>,
    store: ProjectionStore,
    storage: string,
  ): Promise<ReadonlyMap<string, Json | undefined>> {
    const missing = [...keys].filter((key) => !this.#values.has(key))
    if (missing.length > 0) {
      const values = await store.loadRows(storage, missing)
      for (const [i, key] of missing.entries()) this.#values.set(key, values[i])
    }
    return this.#values
  }
}
