/**
 * Half-open ranges of sequences or positions: `[from, to)`. `to` may be infinite. A range whose lower bound is not
 * below its upper bound is empty, and all empty ranges are equal.
 */
import { InputError } from '../domain/error.ts'

export interface Range {
  readonly from: number
  /** Not part of the range. May be `Infinity`. */
  readonly to: number
}

/** Everything: `[0, Infinity)`. */
export const everything: Range = Object.freeze({ from: 0, to: Number.POSITIVE_INFINITY })

/**
 * The range `[from, to)`; `range(5, 3)` is the empty range `[5, 5)`.
 *
 * @throws InputError `RANGE_INVALID` if `from` is negative, infinite or not whole, or `to` is not whole or infinite
 */
export function range(from: number, to: number = Number.POSITIVE_INFINITY): Range {
  checkRange({ from, to })
  return Object.freeze({ from, to: Math.max(from, to) })
}

/** The upper bound of a range that ends with a number. The one after the greatest whole number is infinite. */
export const boundAfter = (last: number): number =>
  last < Number.MAX_SAFE_INTEGER ? last + 1 : Number.POSITIVE_INFINITY

/** @throws InputError `RANGE_INVALID` */
export function checkRange({ from, to }: Range): void {
  const refuse = (reason: string): never => {
    throw new InputError('RANGE_INVALID', { from, to, reason })
  }
  if (!Number.isSafeInteger(from) || from < 0) refuse('the lower bound must be a whole number from 0')
  if (to !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(to))
    refuse('the upper bound must be a whole number or infinite')
}

export const isEmpty = ({ from, to }: Range): boolean => from >= to

export const contains = ({ from, to }: Range, value: number): boolean => value >= from && value < to

export const equals = (a: Range, b: Range): boolean =>
  (isEmpty(a) && isEmpty(b)) || (a.from === b.from && a.to === b.to)

/** Whether two ranges share a value; adjacent ones do not. */
export const overlaps = (a: Range, b: Range): boolean => !isEmpty(intersection(a, b))

export function intersection(a: Range, b: Range): Range {
  const from = Math.max(a.from, b.from)
  return range(from, Math.max(from, Math.min(a.to, b.to)))
}

/** What of `a` is not in `b`: no part, one or two. */
export function difference(a: Range, b: Range): readonly Range[] {
  if (isEmpty(a)) return []
  if (!overlaps(a, b)) return [a]
  const below = range(a.from, Math.max(a.from, b.from))
  const above = b.to === Number.POSITIVE_INFINITY ? range(b.from, b.from) : range(b.to, Math.max(b.to, a.to))
  return [below, above].filter((part) => !isEmpty(part))
}

/** Whether every value of `a` lies below every value of `b`. */
export const isBelow = (a: Range, b: Range): boolean => a.to <= b.from

/** The range without its first `count` values; past the end it is empty. */
export function advance({ from, to }: Range, count: number): Range {
  const next = Math.min(from + count, to)
  return range(next, to)
}
