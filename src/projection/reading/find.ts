/**
 * Finds rows of a projection by their fields, in an order, page by page, and counts them: with an index if one serves
 * the query, otherwise by looking at all rows. The store leaves out rows that it knows not to meet the conditions. The
 * rest is decided here, so every store gives the same answer. Only the rows that may be in the answer are kept, and the
 * event loop turns between pieces. A row by its key is `get`.
 *
 * An index answers from one moment: if the checkpoint has moved meanwhile, or a row is not where its entry says, the
 * rows are read again, a few times. Looking at all rows may take long, so rows may change meanwhile.
 */
import { type Ordering, orderingOf } from '../../domain/field-path.ts'
import { sortInPieces } from '../../runtime/sort-in-pieces.ts'
import { indexesIn } from '../stored/index-entries.ts'
import { entryAt, type IndexPlan, planOf } from './index-plan.ts'
import { conditionsOf, meets } from './matching.ts'
import { comparePlaces, cursorOf, type PlaceInOrder, placeOf, placeOfCursor } from './place-in-order.ts'
import type { AnyRow, Filter, Found, FoundPage, Query } from './query.ts'
import { allRows, Moved, type RowSource, rowsOf } from './row-source.ts'

const limitDefault = 100
/** The rows beyond twice the limit that are kept before they are sorted. */
const spare = 1000
/** The entries of a range that are read first. Some may be behind its end. */
const entriesFirst = 100
/**
 * The number of looks until what was read is of one moment: by entries in the order of the query, which reads little,
 * and by others.
 */
const looksMax = { few: 10, many: 3 }

/** A row that was found, and where it is in the order. */
interface Placed extends Found<unknown> {
  readonly place: PlaceInOrder
}

/** A query in the form in which it is answered. */
interface Asked {
  readonly filter: Filter<AnyRow>
  readonly ordering: readonly Ordering[]
  readonly limit: number
  /** Only rows after this place. */
  readonly start: PlaceInOrder | undefined
}

/**
 * Some rows in order.
 *
 * @throws DefinitionError `OPTION_INVALID` for a cursor of another order; the reason of the breath's signal
 */
export async function findRows(source: RowSource, query: Query<AnyRow>): Promise<FoundPage<unknown>> {
  const { orderBy = [], limit = limitDefault, after } = query
  const ordering = orderingOf(orderBy)
  const start = after === undefined ? undefined : placeOfCursor(ordering, after)
  const asked: Asked = { filter: query, ordering, limit, start }
  if (limit === 0) return { rows: [], next: undefined }
  return looking(source, query, ordering, async (plan) => {
    if (plan?.isInOrder) return pageOf(await inOrder(source, plan, asked), limit, ordering)
    return pageOf(await sorted(source, plan, asked), limit, ordering)
  })
}

/** The number of rows. @throws the reason of the breath's signal */
export function countRows(source: RowSource, filter: Filter<AnyRow>): Promise<number> {
  return looking(source, filter, [], async (plan) => {
    let count = 0
    for await (const { row } of candidates(source, plan, filter)) if (meets(row, filter)) count++
    return count
  })
}

/**
 * Reads with the best plan, until what was read is of one moment. If the rows change during each look, all rows are
 * read instead: their keys do not move, so each is met once.
 */
async function looking<Result>(
  source: RowSource,
  filter: Filter<AnyRow>,
  ordering: readonly Ordering[],
  read: (plan: IndexPlan | undefined) => Promise<Result>,
): Promise<Result> {
  const { store, storage } = source
  let before = await store.loadCheckpoint(storage)
  for (let look = 1; ; look++) {
    const plan = planOf(indexesIn(source, before.note), filter, ordering)
    if (plan === undefined || look > (plan.isInOrder ? looksMax.few : looksMax.many)) return read(undefined)
    let last: { readonly result: Result } | undefined
    try {
      last = { result: await read(plan) }
    } catch (error) {
      if (!(error instanceof Moved)) throw error
    }
    const after = await store.loadCheckpoint(storage)
    const isSame = after.position === before.position && after.term === before.term
    if (isSame && last !== undefined) return last.result
    before = after
  }
}

/** The first rows, and one more if there are more, by entries that are in the order of the query. */
async function inOrder(source: RowSource, plan: IndexPlan, asked: Asked): Promise<readonly Placed[]> {
  const { filter, ordering, limit, start } = asked
  const range = plan.ranges[0]!
  const after = start === undefined ? undefined : entryAt(plan, ordering, start)
  const begun = after !== undefined && !(range.after !== undefined && range.after > after) ? { ...range, after } : range
  const found: Placed[] = []
  for await (const { key, row } of rowsOf(source, plan, begun, limit + 1)) {
    if (!meets(row, filter)) continue
    found.push({ key, row, place: placeOf(ordering, key, row) })
    if (found.length > limit) break
  }
  return found
}

/** The first rows, and one more if there are more, out of rows in any order. */
async function sorted(source: RowSource, plan: IndexPlan | undefined, asked: Asked): Promise<readonly Placed[]> {
  const { filter, ordering, limit, start } = asked
  const compare = comparePlaces(ordering)
  const first = async (some: readonly Placed[]) =>
    (await sortInPieces(some, (a, b) => compare(a.place, b.place), source.breath)).slice(0, limit + 1)
  let found: Placed[] = []
  for await (const { key, row } of candidates(source, plan, filter)) {
    if (!meets(row, filter)) continue
    const place = placeOf(ordering, key, row)
    if (start !== undefined && compare(place, start) <= 0) continue
    found.push({ key, row, place })
    // This limits the rows in memory to about twice the limit.
    if (found.length > 2 * limit + spare) found = [...(await first(found))]
  }
  return first(found)
}

/** Rows among which are all rows of the filter. */
async function* candidates(
  source: RowSource,
  plan: IndexPlan | undefined,
  filter: Filter<AnyRow>,
): AsyncGenerator<Found<unknown>> {
  if (plan === undefined) yield* allRows(source, conditionsOf(filter))
  else for (const range of plan.ranges) yield* rowsOf(source, plan, range, entriesFirst)
}

/** @param found at least one row more than the limit, if there are more */
function pageOf(found: readonly Placed[], limit: number, ordering: readonly Ordering[]): FoundPage<unknown> {
  const rows = found.slice(0, limit)
  const last = found.length > limit ? rows.at(-1) : undefined
  return {
    rows: rows.map(({ key, row }) => ({ key, row })),
    next: last === undefined ? undefined : cursorOf(ordering, last.place),
  }
}
