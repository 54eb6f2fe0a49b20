/**
 * Finds rows of a projection by their fields, in an order, up to a limit. The store gets conditions on fields and
 * leaves out the rows that it can. The rest is decided here, so every store gives the same answer. Only the rows that
 * may be in the answer are kept, and the event loop turns between pieces. A row by its key is `get`.
 */
import { decode } from '../../domain/encoding.ts'
import { checkKeys, checkOption } from '../../domain/options.ts'
import type { Breath } from '../../runtime/breath.ts'
import { sortInPieces } from '../../runtime/sort-in-pieces.ts'
import type { Condition, ProjectionStore } from '../../store/store.ts'
import { isOwnKey, userKey } from '../stored/row-key.ts'
import { rowPages } from '../stored/row-pages.ts'
import { checkWanted, operators } from './find-operators.ts'
import { isSame } from './same.ts'

/** A comparison of a field with values. Values of one kind compare with each other; dates compare by time. */
export interface Comparison<Value> {
  readonly gt?: Value
  readonly gte?: Value
  readonly lt?: Value
  readonly lte?: Value
  readonly not?: Value
  readonly in?: readonly Value[]
}

type Simple = string | number | bigint | boolean | Date

/**
 * What a field may be equal to. A record is allowed only if the field is never simple, because otherwise it could be a
 * misspelt comparison.
 */
type Equal<Value> = [Extract<Value, Simple>] extends [never] ? Value : WithoutRecords<Value>
type WithoutRecords<Value> = Value extends
  | Simple
  | null
  | undefined
  | readonly unknown[]
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  ? Value
  : never

/**
 * Fields of a row, each with the value that it must have or a comparison. All must hold. If a field may be a record or
 * something simple, write `{ in: [record] }` for a record.
 */
export type Where<Row> = {
  readonly [Field in keyof Row]?: Equal<Row[Field]> | Comparison<Exclude<Row[Field], undefined>>
}

export interface Query<Row> {
  readonly where?: Where<Row>
  /** The field to order by; by default the key of the row. Rows without a value in the field come last. */
  readonly orderBy?: keyof Row & string
  readonly direction?: 'ascending' | 'descending'
  /** The greatest number of rows, 100 by default. */
  readonly limit?: number
}

/** A row with its key. */
export interface Found<Row> {
  readonly key: string
  readonly row: Row
}

const limitDefault = 100
/** The number of rows that are read at once. */
const pageSize = 1000

/**
 * @param storage the name under which the rows are stored
 * @throws the reason of the breath's signal
 */
export async function findRows(
  store: ProjectionStore,
  storage: string,
  query: Query<Record<string, unknown>>,
  breath: Breath,
): Promise<readonly Found<unknown>[]> {
  const { where = {}, orderBy, direction = 'ascending', limit = limitDefault } = query
  const order = orderOf(orderBy, direction === 'ascending' ? 1 : -1)
  const first = async (some: readonly Found<unknown>[]) => (await sortInPieces(some, order, breath)).slice(0, limit)
  let found: Found<unknown>[] = []
  for await (const page of rowPages(store, storage, { where: conditionsOf(where), limit: pageSize })) {
    await breath.pause()
    for (const { key, value } of page) {
      if (breath.isDue) await breath.pause()
      if (value === undefined || isOwnKey(key)) continue
      const row = decode(value)
      if (meets(row as Record<string, unknown>, where)) found.push({ key: userKey(key), row })
    }
    // This limits the rows in memory to about twice the limit.
    if (found.length > 2 * limit + pageSize) found = await first(found)
  }
  return first(found)
}

/**
 * Refuses an invalid query.
 *
 * @param initial the row before its first event, which shows which fields are simple
 * @throws DefinitionError `OPTION_INVALID`
 */
export function checkQuery(query: Query<Record<string, unknown>>, initial: unknown): void {
  checkKeys('find(query)', query, ['where', 'orderBy', 'direction', 'limit'])
  const { where, orderBy, direction, limit } = query
  const isRecord = (found: unknown) => typeof found === 'object' && found !== null && !Array.isArray(found)
  checkOption('where', where, isRecord, 'a record of fields')
  checkOption('orderBy', orderBy, (found) => typeof found === 'string', 'the name of a field')
  const directions = ['ascending', 'descending']
  checkOption('direction', direction, (found) => directions.includes(found), "'ascending' or 'descending'")
  checkOption(
    'limit',
    limit,
    (found) => found === Infinity || (Number.isSafeInteger(found) && found >= 0),
    'a whole number from 0',
  )
  const fields = (initial ?? {}) as Readonly<Record<string, unknown>>
  for (const [field, wanted] of Object.entries(where ?? {})) {
    checkWanted(`where.${field}`, wanted, Object.hasOwn(fields, field) ? fields[field] : undefined)
  }
}

/** The conditions that a store can check: fields that are a text, a number or a boolean, and numbers within bounds. */
function conditionsOf(where: Where<Record<string, unknown>>): readonly Condition[] {
  return Object.entries(where).flatMap(([field, wanted]): readonly Condition[] => {
    // A name that begins with `$` is stored under another name.
    if (field.startsWith('$') || wanted === undefined) return []
    // -0 is stored as an object, which counts as within all bounds.
    if (wanted === 0) return [{ field, least: 0, most: 0 }]
    if (!isComparison(wanted)) return isTellable(wanted) ? [{ field, oneOf: [wanted] }] : []
    const { gt, gte, lt, lte, in: oneOf } = wanted
    const least = [gt, gte].filter(isNumber)
    const most = [lt, lte].filter(isNumber)
    const bounds = {
      ...(least.length > 0 && { least: Math.max(...least) }),
      ...(most.length > 0 && { most: Math.min(...most) }),
    }
    return [
      ...(oneOf?.every(isTellable) ? [{ field, oneOf: oneOf as readonly (string | number | boolean)[] }] : []),
      ...(least.length + most.length > 0 ? [{ field, ...bounds }] : []),
    ]
  })
}

/** -0 and numbers that are not finite are stored as objects. */
const isNumber = (value: unknown): value is number => Number.isFinite(value) && !Object.is(value, -0)
const isTellable = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'boolean' || (isNumber(value) && value !== 0)

function meets(row: Record<string, unknown>, where: Where<Record<string, unknown>>): boolean {
  return Object.entries(where).every(([field, wanted]) => {
    if (wanted === undefined) return true
    const value = row?.[field]
    return isComparison(wanted) ? compares(value, wanted) : isSame(value, wanted)
  })
}

function isComparison(wanted: unknown): wanted is Comparison<unknown> {
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted) || wanted instanceof Date) return false
  const keys = Object.keys(wanted)
  return keys.length > 0 && keys.every((key) => operators.includes(key))
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

/** Below, at or above zero; NaN for values that cannot be compared. */
function difference(a: unknown, b: unknown): number {
  const [kind, left, right] = [kindOf(a), comparable(a), comparable(b)]
  if (kind === undefined || kind !== kindOf(b)) return Number.NaN
  return left < right ? -1 : left > right ? 1 : left === right ? 0 : Number.NaN
}

function kindOf(value: unknown): string | undefined {
  if (value instanceof Date) return 'date'
  return ['string', 'number', 'bigint', 'boolean'].find((kind) => kind === typeof value)
}

const comparable = (value: unknown): any => (value instanceof Date ? value.getTime() : value)

function orderOf(field: string | undefined, sign: number): (a: Found<unknown>, b: Found<unknown>) => number {
  const byKey = (a: Found<unknown>, b: Found<unknown>) => difference(a.key, b.key)
  if (field === undefined) return (a, b) => sign * byKey(a, b)
  return (a, b) => {
    const [left, right] = [fieldOf(a, field), fieldOf(b, field)]
    const missing = Number(left === undefined || left === null) - Number(right === undefined || right === null)
    return missing || sign * (rankOf(left) - rankOf(right) || difference(left, right) || 0) || byKey(a, b)
  }
}

const ranks: readonly (string | undefined)[] = ['boolean', 'number', 'bigint', 'string', 'date']

/** Values are ordered by kind first. Values of a kind that cannot be compared come last. */
function rankOf(value: unknown): number {
  const rank = ranks.indexOf(kindOf(value))
  if (rank < 0) return ranks.length
  // NaN and invalid dates come after the other values of their kind.
  return Number.isNaN(comparable(value)) ? rank + 0.5 : rank
}

const fieldOf = ({ row }: Found<unknown>, field: string): unknown => (row as Record<string, unknown>)?.[field]
