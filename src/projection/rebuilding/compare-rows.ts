/** Two sets of rows of one projection, held against each other. */
import { decode } from '../../domain/encoding.ts'
import type { Json } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore } from '../../store/store.ts'
import { isSame } from '../reading/same.ts'
import { isOwnKey, userKey } from '../stored/row-key.ts'
import { rowPages } from '../stored/row-pages.ts'

/** A row that is not the same; `undefined` where it is missing. */
export interface RowDifference {
  readonly key: string
  readonly live: unknown
  readonly rebuilt: unknown
}

/** What came of comparing the rows that serve with rebuilt rows. */
export interface RowComparison {
  /** Both sets of rows are as of this position. */
  readonly position: number
  /** How many rows serve. */
  readonly rows: number
  /** How many rows differ. */
  readonly differing: number
  /** The first of them. */
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
  const note = (key: string, liveRow: Json | undefined, rebuiltRow: Json | undefined) => {
    differing++
    if (differences.length < limit)
      differences.push({ key: userKey(key), live: decoded(liveRow), rebuilt: decoded(rebuiltRow) })
  }
  for await (const page of pagesBeside(store, live, rebuilt, breath)) {
    for (const [key, own, other] of page) {
      if (breath.isDue) await breath.pause()
      rows++
      if (!isSame(own, other)) note(key, own, other)
    }
  }
  // Rows that do not serve at all; those that do were compared already.
  for await (const page of pagesBeside(store, rebuilt, live, breath)) {
    for (const [key, own, other] of page) {
      if (breath.isDue) await breath.pause()
      if (other === undefined) note(key, other, own)
    }
  }
  return { rows, differing, differences }
}

type Beside = readonly (readonly [key: string, own: Json | undefined, other: Json | undefined])[]

/** The rows of one storage, page by page, each with that of the same key in another. */
async function* pagesBeside(
  store: ProjectionStore,
  storage: string,
  other: string,
  breath: Breath,
): AsyncGenerator<Beside> {
  for await (const page of rowPages(store, storage, { limit: pageSize })) {
    await breath.pause()
    const rows = page.filter(({ key }) => !isOwnKey(key))
    const keys = rows.map(({ key }) => key)
    const others = keys.length === 0 ? [] : await store.loadRows(other, keys)
    yield rows.map(({ key, value }, i) => [key, value, others[i]])
  }
}

const decoded = (row: Json | undefined): unknown => (row === undefined ? undefined : decode(row))
