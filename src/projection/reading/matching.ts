/** Whether a row is meant by a filter, and the conditions of it that a store can check. */

import { fieldOf, isRecord } from '../../domain/field-path.ts'
import type { Condition } from '../../store/store.ts'
import { compareTexts } from '../stored/order-key.ts'
import { operators } from './find-operators.ts'
import type { AnyRow, Comparison, Filter, Where } from './query.ts'
import { isSame } from './same.ts'

/** Whether a row meets all of `where`, and one of `or`. */
export function meets(row: unknown, { where = {}, or }: Filter<AnyRow>): boolean {
  return meetsAll(row, where) && (or === undefined || or.some((each) => meetsAll(row, each)))
}

function meetsAll(row: unknown, where: Where<AnyRow>): boolean {
  return Object.entries(where).every(([field, wanted]) => {
    if (wanted === undefined) return true
    const value = fieldOf(row, field)
    return isComparison(wanted) ? compares(value, wanted) : isSame(value, wanted)
  })
}

/** Whether something wanted is a comparison, and not a value to be equal to. */
export function isComparison(wanted: unknown): wanted is Comparison<any> {
  if (!isRecord(wanted)) return false
  const keys = Object.keys(wanted)
  return keys.length > 0 && keys.every((key) => operators.includes(key))
}

function compares(value: unknown, wanted: Comparison<any>): boolean {
  const { gt, gte, lt, lte, not, in: oneOf, startsWith, includes } = wanted
  const than = (other: unknown, holds: (difference: number) => boolean) =>
    other === undefined || (value !== undefined && value !== null && holds(difference(value, other)))
  return (
    than(gt, (by) => by > 0) &&
    than(gte, (by) => by >= 0) &&
    than(lt, (by) => by < 0) &&
    than(lte, (by) => by <= 0) &&
    (not === undefined || !isSame(value, not)) &&
    (oneOf === undefined || oneOf.some((one: unknown) => isSame(value, one))) &&
    (startsWith === undefined || (typeof value === 'string' && value.startsWith(startsWith))) &&
    (includes === undefined || (typeof value === 'string' && value.includes(includes)))
  )
}

/** Below, at or above zero; NaN for values that cannot be compared. */
function difference(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b)
  const kind = kindOf(a)
  if (kind === undefined || kind !== kindOf(b)) return Number.NaN
  const [left, right] = [comparable(a), comparable(b)]
  return left < right ? -1 : left > right ? 1 : left === right ? 0 : Number.NaN
}

function kindOf(value: unknown): string | undefined {
  if (value instanceof Date) return 'date'
  return ['number', 'bigint', 'boolean'].find((kind) => kind === typeof value)
}

const comparable = (value: unknown): any => (value instanceof Date ? value.getTime() : value)

/**
 * The conditions that a store can check: fields that are a text, a number or a boolean, and numbers within bounds. They
 * concern fields at the top of a row.
 */
export function conditionsOf({ where = {} }: Filter<AnyRow>): readonly Condition[] {
  return Object.entries(where).flatMap(([field, wanted]): readonly Condition[] => {
    // A name that begins with `$` is stored under another name. A name with a dot may be within a record.
    if (field.startsWith('$') || field.includes('.') || wanted === undefined) return []
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
