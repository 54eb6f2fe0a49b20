/**
 * Finds rows of a projection by their fields, in an order, page by page, and counts them. The store gets conditions on
 * fields and leaves out the rows that it can. The rest is decided here, so every store gives the same answer. Only the
 * rows that may be in the answer are kept, and the event loop turns between pieces. A row by its key is `get`.
 */
import { decode } from '../../domain/encoding.ts'
import type { Breath } from '../../runtime/breath.ts'
import { sortInPieces } from '../../runtime/sort-in-pieces.ts'
import type { ProjectionStore } from '../../store/store.ts'
import { isOwnKey, userKey } from '../stored/row-key.ts'
import { rowPages } from '../stored/row-pages.ts'
import { conditionsOf, meets } from './matching.ts'
import { comparePlaces, cursorOf, type PlaceInOrder, placeOf, placeOfCursor } from './place-in-order.ts'
import { type AnyRow, type Filter, type Found, type FoundPage, orderingOf, type Query } from './query.ts'

const limitDefault = 100
/** The number of rows that are read at once. */
const pageSize = 1000

/** A row that was found, and where it is in the order. */
interface Placed extends Found<unknown> {
  readonly place: PlaceInOrder
}

/** Reads the rows of a projection. */
export interface RowSource {
  readonly store: ProjectionStore
  /** The name under which the rows are stored. */
  readonly storage: string
  readonly breath: Breath
}

/**
 * Some rows in order.
 *
 * @throws DefinitionError `OPTION_INVALID` for a cursor of another order; the reason of the breath's signal
 */
export async function findRows(source: RowSource, query: Query<AnyRow>): Promise<FoundPage<unknown>> {
  const { orderBy, limit = limitDefault, after } = query
  const ordering = orderingOf(orderBy)
  const compare = comparePlaces(ordering)
  const { breath } = source
  const start = after === undefined ? undefined : placeOfCursor(ordering, after)
  // One more than wanted shows whether there is another page.
  const first = async (some: readonly Placed[]) =>
    (await sortInPieces(some, (a, b) => compare(a.place, b.place), breath)).slice(0, limit + 1)
  let found: Placed[] = []
  for await (const { key, row } of matching(source, query)) {
    const place = placeOf(ordering, key, row)
    if (start !== undefined && compare(place, start) <= 0) continue
    found.push({ key, row, place })
    // This limits the rows in memory to about twice the limit.
    if (found.length > 2 * limit + pageSize) found = [...(await first(found))]
  }
  return pageOf(await first(found), limit, ordering)
}

/** The number of rows. @throws the reason of the breath's signal */
export async function countRows(source: RowSource, filter: Filter<AnyRow>): Promise<number> {
  let count = 0
  for await (const _ of matching(source, filter)) count++
  return count
}

/** @param found at least one row more than the limit, if there are more */
function pageOf(found: readonly Placed[], limit: number, ordering: ReturnType<typeof orderingOf>): FoundPage<unknown> {
  const rows = found.slice(0, limit)
  const last = found.length > limit ? rows.at(-1) : undefined
  return {
    rows: rows.map(({ key, row }) => ({ key, row })),
    next: last === undefined ? undefined : cursorOf(ordering, last.place),
  }
}

/** The rows of a filter, in no particular order. */
async function* matching(
  { store, storage, breath }: RowSource,
  filter: Filter<AnyRow>,
): AsyncGenerator<Found<unknown>> {
  for await (const page of rowPages(store, storage, { where: conditionsOf(filter), limit: pageSize })) {
    await breath.pause()
    for (const { key, value } of page) {
      if (breath.isDue) await breath.pause()
      if (value === undefined || isOwnKey(key)) continue
      const row = decode(value)
      if (meets(row, filter)) yield { key: userKey(key), row }
    }
  }
}
