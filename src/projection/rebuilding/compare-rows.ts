/** Compares two sets of rows of one projection. */
import type { Json } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore } from '../../store/store.ts'
import { isSame } from '../reading/same.ts'
import { userKey } from '../stored/row-key.ts'
import { userRowPages } from '../stored/row-pages.ts'
import { decodeRow } from '../stored/row-value.ts'

/** A row that differs. A side without the row is `undefined`. */
export interface RowDifference {
  readonly key: string
  readonly live: unknown
  readonly rebuilt: unknown
}

/** The result of comparing the live rows with rebuilt rows. */
export interface RowComparison {
  /** The position at which both sets of rows are. */
  readonly position: number
  /** The number of live rows. */
  readonly rows: number
  /** The number of rows that differ. */
  readonly differing: number
  /** The first differences, up to the limit. */
  readonly differences: readonly RowDifference[]
}

const pageSize = 1000

/** @throws the reason of the breath's signal */
export async function compareRows(
  store: ProjectionStore,
  live: string,
  rebuilt: string,
  limit: number,
  breath: Breath,
): Promise<Omit<RowComparison, 'position'>> {
  const differences: RowDifference[] = []
  let rows = 0
  let differing = 0
  const rowIn = (storage: string, key: string, value: Json | undefined) =>
    value === undefined ? undefined : decodeRow({ store, storage }, key, value)
  const note = (key: string, liveRow: Json | undefined, rebuiltRow: Json | undefined) => {
    differing++
    if (differences.length < limit)
      differences.push({ key: userKey(key), live: rowIn(live, key, liveRow), rebuilt: rowIn(rebuilt, key, rebuiltRow) })
  }
  for await (const page of pagesBeside(store, live, rebuilt, breath)) {
    for (const [key, own, other] of page) {
      if (breath.isDue) await breath.pause()
      rows++
      if (!isSame(own, other)) note(key, own, other)
    }
  }
  // Rebuilt rows that have no live row. The others were compared above.
  for await (const page of pagesBeside(store, rebuilt, live, breath)) {
    for (const [key, own, other] of page) {
      if (breath.isDue) await breath.pause()
      if (other === undefined) note(key, other, own)
    }
  }
  return { rows, differing, differences }
}

type Beside = readonly (readonly [key: string, own: Json | undefined, other: Json | undefined])[]

/** The rows of one storage name, page by page, each with the row of the same key under another storage name. */
async function* pagesBeside(
  store: ProjectionStore,
  storage: string,
  other: string,
  breath: Breath,
): AsyncGenerator<Beside> {
  for await (const rows of userRowPages(store, storage, { limit: pageSize })) {
    await breath.pause()
    const keys = rows.map(({ key }) => key)
    const others = keys.length === 0 ? [] : await store.loadRows(other, keys)
    yield rows.map(({ key, value }, i) => [key, value, others[i]])
  }
}
