/**
 * Questions about a projection's rows: which, in which order, how many. Answered over the rows of any store, page by page, so it
 * costs a pass over the projection's rows; only what is wanted is kept. A row by its key is `get`.
 */
import { decode } from '../domain/encoding.ts'
import { DefinitionError } from '../domain/error.ts'
import type { ProjectionStore } from '../store/store.ts'

/** What a field may be compared with. Dates compare by time. */
export interface Comparison<Value> {
  readonly gt?: Value
  readonly gte?: Value
  readonly lt?: Value
  readonly lte?: Value
  readonly not?: Value
  readonly in?: readonly Value[]
}

/** Fields of a row with the value that they must have, or a comparison. All of them must hold. */
export type Where<Row> = {
  readonly [Field in keyof Row]?: Row[Field] | Comparison<Exclude<Row[Field], undefined>>
}

export interface Query<Row> {
  readonly where?: Where<Row>
  /** A field to order by; the rows' keys otherwise. Rows without a value there come last. */
  readonly orderBy?: keyof Row & string
  readonly direction?: 'ascending' | 'descending'
  /** At most so many rows, 100 by default. */
  readonly limit?: number
}

/** A row with its key. */
export interface Found<Row> {
  readonly key: string
  readonly row: Row
}

const limitDefault = 100
/** Rows read at once. */
const pageSize = 1000

/** @throws DefinitionError `OPTION_INVALID` */
export async function findRows(
  store: ProjectionStore,
  projection: string,
  query: Query<Record<string, unknown>>,
): Promise<readonly Found<unknown>[]> {
  const { where = {}, orderBy, direction = 'ascending', limit = limitDefault } = query
  if (limit !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new DefinitionError('OPTION_INVALID', { option: 'limit', expected: 'a whole number from 0', found: limit })
  }
  if (direction !== 'ascending' && direction !== 'descending') {
    const expected = "'ascending' or 'descending'"
    throw new DefinitionError('OPTION_INVALID', { option: 'direction', expected, found: direction })
  }
  const order = orderOf(orderBy, direction === 'ascending' ? 1 : -1)
  let found: Found<unknown>[] = []
  for await (const { key, row } of allRows(store, projection)) {
    if (!meets(row as Record<string, unknown>, where)) continue
    found.push({ key, row })
    // Keeps what is held within twice what is wanted.
    if (found.length > 2 * limit + pageSize) found = found.sort(order).slice(0, limit)
  }
  return found.sort(order).slice(0, limit)
}

async function* allRows(store: ProjectionStore, projection: string): AsyncGenerator<Found<unknown>> {
  for (let after: string | undefined; ; ) {
    const page = await store.listRows(projection, { limit: pageSize, ...(after !== undefined && { after }) })
    for (const { key, value } of page) if (value !== undefined) yield { key, row: decode(value) }
    if (page.length < pageSize) return
    after = page.at(-1)!.key
  }
}

function meets(row: Record<string, unknown>, where: Where<Record<string, unknown>>): boolean {
  return Object.entries(where).every(([field, wanted]) => {
    if (wanted === undefined) return true
    const value = row?.[field]
    return isComparison(wanted) ? compares(value, wanted) : isSame(value, wanted)
  })
}

const operators: ReadonlySet<string> = new Set(['gt', 'gte', 'lt', 'lte', 'not', 'in'])

function isComparison(wanted: unknown): wanted is Comparison<unknown> {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted) || wanted instanceof Date) return false
  const keys = Object.keys(wanted)
  return keys.length > 0 && keys.every((key) => operators.has(key))
}

function compares(value: unknown, { gt, gte, lt, lte, not, in: oneOf }: Comparison<unknown>): boolean {
  const than = (other: unknown, holds: (difference: number) => boolean) =>
    other === undefined || (value !== undefined && value !== null && holds(difference(value, other)))
  return (
    than(gt, (by) => by > 0) &&
    than(gte, (by) => by >= 0) &&
    than(lt, (by) => by < 0) &&
    than(lte, (by) => by <= 0) &&
    (not === undefined || !isSame(value, not)) &&
    (oneOf === undefined || oneOf.some((one) => isSame(value, one)))
  )
}

/** Equal by contents, as stored. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Date || b instanceof Date)
    return a instanceof Date && b instanceof Date && a.getTime() === b.getTime()
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  )
}

/** Below, at or above zero; NaN for what cannot be compared. */
function difference(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return (a as number) < (b as number)
    ? -1
    : (a as number) > (b as number)
      ? 1
      : Number(a) === Number(b)
        ? 0
        : Number.NaN
}

function orderOf(field: string | undefined, sign: number): (a: Found<unknown>, b: Found<unknown>) => number {
  const byKey = (a: Found<unknown>, b: Found<unknown>) => difference(a.key, b.key)
  if (field === undefined) return (a, b) => sign * byKey(a, b)
  return (a, b) => {
    const [left, right] = [fieldOf(a, field), fieldOf(b, field)]
    const missing = Number(left === undefined || left === null) - Number(right === undefined || right === null)
    return missing || sign * (difference(left, right) || 0) || byKey(a, b)
  }
}

const fieldOf = ({ row }: Found<unknown>, field: string): unknown => (row as Record<string, unknown>)?.[field]
