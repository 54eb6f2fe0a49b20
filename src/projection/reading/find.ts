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
import { allRows, Moved, type ReadRow, type RowSource, rowsOf } from './row-source.ts'

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
  /** How many characters of JSON it has, if that matters. */
  readonly characters: number
}

/** A query in the form in which it is answered. */
interface Asked {
  readonly filter: Filter<AnyRow>
  readonly ordering: readonly Ordering[]
  readonly limit: number
  /** A page is full when it has so many characters of JSON. */
  readonly charactersMax: number
  /** Only rows after this place. */
  readonly start: PlaceInOrder | undefined
}

/**
 * Some rows in order.
 *
 * @param charactersMax ends the page with the row with which it has so many characters of JSON
 * @throws DefinitionError `OPTION_INVALID` for a cursor of another order; the reason of the breath's signal
 */
export async function findRows(
  source: RowSource,
  query: Query<AnyRow>,
  charactersMax: number = Number.POSITIVE_INFINITY,
): Promise<FoundPage<unknown>> {
  const { orderBy = [], limit = limitDefault, after } = query
  const ordering = orderingOf(orderBy)
  const start = after === undefined ? undefined : placeOfCursor(ordering, after)
  const asked: Asked = { filter: query, ordering, limit, charactersMax, start }
  if (limit === 0) return { rows: [], next: undefined }
  return looking(source, query, ordering, async (plan) => {
    if (plan?.isInOrder) return pageOf(await inOrder(source, plan, asked), asked)
    return pageOf(await sorted(source, plan, asked), asked)
  })
}

/** The number of rows. @throws the reason of the breath's signal */
export function countRows(source: RowSource, filter: Filter<AnyRow>): Promise<number> {
  return looking(source, filter, [], async (plan) => {
    let count = 0
    const every = { filter, charactersMax: Number.POSITIVE_INFINITY }
    for await (const { row } of candidates(source, plan, every)) if (meets(row, filter)) count++
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
  const { filter, ordering, limit, charactersMax, start } = asked
  const range = plan.ranges[0]!
  const after = start === undefined ? undefined : entryAt(plan, ordering, start)
  const begun = after !== undefined && !(range.after !== undefined && range.after > after) ? { ...range, after } : range
  const found: Placed[] = []
  let characters = 0
  for await (const read of rowsOf(source, plan, begun, { first: limit + 1, charactersMax })) {
    if (!meets(read.row, filter)) continue
    const placed = placedIn(asked, read)
    found.push(placed)
    if (found.length > limit || characters >= charactersMax) break
    characters += placed.characters
  }
  return found
}

/** The first rows, and one more if there are more, out of rows in any order. */
async function sorted(source: RowSource, plan: IndexPlan | undefined, asked: Asked): Promise<readonly Placed[]> {
  const { filter, ordering, limit, charactersMax, start } = asked
  const compare = comparePlaces(ordering)
  const first = async (some: readonly Placed[]) => {
    const inOrder = await sortInPieces(some, (a, b) => compare(a.place, b.place), source.breath)
    return inOrder.slice(0, fitting(inOrder, asked) + 1)
  }
  let found: Placed[] = []
  let characters = 0
  for await (const read of candidates(source, plan, asked)) {
    if (!meets(read.row, filter)) continue
    const placed = placedIn(asked, read)
    if (start !== undefined && compare(placed.place, start) <= 0) continue
    found.push(placed)
    characters += placed.characters
    // This limits the rows in memory to about twice the limit.
    if (found.length <= 2 * limit + spare && characters <= 2 * charactersMax) continue
    found = await first(found)
    characters = found.reduce((sum, each) => sum + each.characters, 0)
  }
  return first(found)
}

/** Rows among which are all rows of the filter. */
async function* candidates(
  source: RowSource,
  plan: IndexPlan | undefined,
  { filter, charactersMax }: Pick<Asked, 'filter' | 'charactersMax'>,
): AsyncGenerator<ReadRow> {
  const wanted = { first: entriesFirst, charactersMax }
  if (plan === undefined) yield* allRows(source, conditionsOf(filter))
  else for (const range of plan.ranges) yield* rowsOf(source, plan, range, wanted)
}

const placedIn = ({ ordering, charactersMax }: Asked, { key, row, value }: ReadRow): Placed => ({
  key,
  row,
  place: placeOf(ordering, key, row),
  characters: charactersMax < Number.POSITIVE_INFINITY ? JSON.stringify(value).length : 0,
})

/** How many rows of a list are on a page: at least one, if there are any. */
function fitting(rows: readonly Placed[], { limit, charactersMax }: Asked): number {
  let characters = 0
  let count = 0
  for (; count < Math.min(limit, rows.length) && characters < charactersMax; count++)
    characters += rows[count]!.characters
  return count
}

/** @param found at least one row more than fits, if there are more */
function pageOf(found: readonly Placed[], asked: Asked): FoundPage<unknown> {
  const { ordering } = asked
  const rows = found.slice(0, fitting(found, asked))
  const last = found.length > rows.length ? rows.at(-1) : undefined
  return {
    rows: rows.map(({ key, row }) => ({ key, row })),
    next: last === undefined ? undefined : cursorOf(ordering, last.place),
  }
}
