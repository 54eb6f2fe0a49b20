/**
 * Rows of a projection as they were in its last steps, so that they need not be read again. The compare-and-set of the
 * checkpoint that they lie beside proves them to be still the truth. Over a limit all are forgotten.
 */
import type { Json } from '../../domain/json.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import { isOwnKey } from '../stored/row-key.ts'

/** Rows that are remembered from step to step. */
const rowsMax = 10_000

export class RememberedRows {
  readonly #values = new Map<string, Json | undefined>()

  /** Forgets all: a row is read when it is wanted. */
  load(): void {
    this.#values.clear()
  }

  /** Takes over rows that were saved, but for those that are not the user's. */
  apply(rows: readonly Row[]): void {
    for (const { key, value } of rows) if (!isOwnKey(key)) this.#values.set(key, value)
    if (this.#values.size > rowsMax) this.#values.clear()
  }

  /** The rows as they are stored: those that are wanted, and perhaps more. */
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
