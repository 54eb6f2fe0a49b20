/**
 * Converts values between a caller and SQLite. A whole number is bound as INTEGER (a plain number of JavaScript would
 * be REAL, and appear as "5.0" in a text), true and false as 1 and 0, and a date as its ISO text in UTC, which SQLite's
 * own date functions accept. Whole numbers come back as numbers, or as bigints if a number would not be exact.
 */
import { copyOfBytes } from '../../sql-bytes.ts'
import type { SqlValue } from '../../store.ts'
import type { Bound, TransactionCalls } from './protocol.ts'

/** @throws TypeError for a value that SQLite cannot store */
export function boundOf(value: SqlValue): Bound {
  switch (typeof value) {
    case 'string':
      return value
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) throw new TypeError(`${value} is not a whole number of 64 bits`)
      return value
    case 'number':
      if (Number.isNaN(value)) throw new TypeError('NaN is not a value of SQL')
      return Number.isSafeInteger(value) ? BigInt(value) : value
    case 'boolean':
      return value ? 1n : 0n
    default:
      if (value === null) return value
      if (value instanceof Uint8Array) return copyOfBytes(value)
      if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString()
      throw new TypeError(
        `${value instanceof Date ? 'an invalid date' : `a value of type ${typeof value}`} is not a value of SQL`,
      )
  }
}

/** Converts a value that SQLite returns with `setReadBigInts(true)` into the form that callers get. */
export function readable(value: Bound): Bound {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** Rows as plain objects. If columns have the same name, the last one counts. */
export function rowsOf({ columns, values }: TransactionCalls['query']['answer']): readonly Record<string, Bound>[] {
  const rows: Record<string, Bound>[] = []
  for (let at = 0; at < values.length; at += columns.length) {
    rows.push(Object.fromEntries(columns.map((column, i) => [column, values[at + i]!])))
  }
  return rows
}
