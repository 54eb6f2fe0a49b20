/**
 * How an index answers a query: ranges of its entries that have all rows of the filter, and whether the entries are in
 * the order of the query. The rows of a range are compared with the whole filter afterwards, so a range may be too wide
 * but never too narrow.
 */
import type { Ordering } from '../../domain/field-path.ts'
import { entriesOf, type Index, signed } from '../stored/index-entries.ts'
import { afterAll, orderKey, orderKeyOfStart } from '../stored/order-key.ts'
import { isComparison } from './matching.ts'
import { keySign, type PlaceInOrder } from './place-in-order.ts'
import type { AnyRow, Comparison, Filter } from './query.ts'

/** A range of entries: those with the prefix, after one text and up to another. */
export interface EntryRange {
  readonly prefix: string
  /** Absent if it begins with the prefix. */
  readonly after?: string
  /** Absent if it ends with the prefix. */
  readonly end?: string
}

export interface IndexPlan {
  readonly index: Index
  /** The number of the index in its storage. */
  readonly n: number
  /** The beginning of all entries whose first fields have the wanted values. */
  readonly prefix: string
  /** The other fields of the index. */
  readonly rest: Index
  readonly ranges: readonly EntryRange[]
  /** Whether the entries are in the order of the query. */
  readonly isInOrder: boolean
}

/** The number of ranges for a list of values. With more, all rows are looked at. */
const rangesMax = 100

/** The best plan, or `undefined` if all rows have to be looked at. */
export function planOf(
  indexes: readonly Index[],
  filter: Filter<AnyRow>,
  ordering: readonly Ordering[],
): IndexPlan | undefined {
  let best: { readonly plan: IndexPlan; readonly worth: number } | undefined
  for (const [n, index] of indexes.entries()) {
    const found = planBy(index, n, filter, ordering)
    if (found !== undefined && (best === undefined || found.worth > best.worth)) best = found
  }
  return best?.plan
}

function planBy(index: Index, n: number, { where = {}, or }: Filter<AnyRow>, ordering: readonly Ordering[]) {
  const wanted = ({ field }: Ordering): unknown => (Object.hasOwn(where, field) ? where[field] : undefined)
  const isEqual = (each: Ordering) => wanted(each) !== undefined && !isComparison(wanted(each))
  const firstOther = index.findIndex((each) => !isEqual(each))
  const equal = firstOther < 0 ? index : index.slice(0, firstOther)
  const rest = index.slice(equal.length)
  const parts = equal.map((each) => signed(orderKey(wanted(each)), each.sign))
  const prefix = entriesOf(n) + parts.join('')
  const next = rest[0]
  const comparison = next === undefined ? undefined : wanted(next)
  const within = isComparison(comparison) ? rangesOf(prefix, next!, comparison) : undefined
  const ranges = within ?? [{ prefix }]
  const left = ordering.filter(({ field }) => !equal.some((each) => each.field === field))
  const isSameOrder =
    left.length === rest.length &&
    rest.every(({ field, sign }, i) => left[i]!.field === field && left[i]!.sign === sign)
  const isInOrder = isSameOrder && index.at(-1)!.sign === keySign(ordering) && ranges.length === 1
  const isNarrow = equal.length > 0 || within !== undefined
  const isWhole = or === undefined && Object.values(where).every((each) => each === undefined)
  // Without a narrow range, the rows of a filter may be anywhere in the order.
  if (!isNarrow && !(isInOrder && isWhole)) return undefined
  const worth = 4 * equal.length + (within === undefined ? 0 : 2) + (isInOrder ? 3 : 0)
  return { plan: { index, n, prefix, rest, ranges, isInOrder }, worth }
}

/** The ranges of a comparison, or `undefined` if it has no bounds. */
function rangesOf(prefix: string, { sign }: Ordering, comparison: Comparison<any>): readonly EntryRange[] | undefined {
  const { gt, gte, lt, lte, in: oneOf, startsWith } = comparison
  if (oneOf !== undefined && oneOf.length <= rangesMax) {
    const parts = new Set<string>(oneOf.map((value: unknown) => signed(orderKey(value), sign)))
    return Array.from(parts, (part) => ({ prefix: prefix + part }))
  }
  if (startsWith !== undefined) return [rangeBetween(prefix, sign, orderKeyOfStart(startsWith), undefined)]
  const bounds = [gt, gte, lt, lte].filter((bound) => bound !== undefined && bound !== null)
  if (bounds.length === 0) return undefined
  // A comparison is met by values of the same kind only. The first character is the kind.
  const kind = orderKey(bounds[0])[0]!
  const inOrder = (some: readonly unknown[]) =>
    some
      .filter((bound) => bound !== undefined && bound !== null)
      .map(orderKey)
      .sort()
  const least = inOrder([gt, gte]).at(-1) ?? kind
  const most = inOrder([lt, lte])[0] ?? kind + afterAll
  return [rangeBetween(prefix, sign, least, most)]
}

/**
 * The entries with values between two order keys, or beginnings of order keys, both included.
 *
 * @param most without it, the values that begin with `least`
 */
function rangeBetween(prefix: string, sign: 1 | -1, least: string, most = least + afterAll): EntryRange {
  const [from, to] = sign === 1 ? [least, most] : [signed(most, sign), signed(least, sign)]
  return { prefix, after: prefix + from, end: prefix + to + afterAll }
}

/** The key of the entry at a place in the order of the query, if the entries are in that order. */
export function entryAt(
  { index, prefix, rest }: IndexPlan,
  ordering: readonly Ordering[],
  place: PlaceInOrder,
): string {
  const parts = rest.map(({ field, sign }) => signed(place[ordering.findIndex((each) => each.field === field)]!, sign))
  return prefix + parts.join('') + signed(place.at(-1)!, index.at(-1)!.sign)
}
