/**
 * Converts values between a caller and the driver, whatever the driver is set up to do elsewhere. A `bigint` becomes a
 * number if that is exact, otherwise a bigint. A timestamp becomes a `Date`, and `bytea` becomes bytes. Every other
 * type stays its text, for instance `numeric`, `date`, `json` and arrays.
 */
import { copyOfBytes } from '../../sql-bytes.ts'
import type { SqlValue } from '../../store.ts'

/**
 * A copy of a value, of a type that the driver can send. Lists become arrays. Other types are refused, because an error
 * while the driver writes a message would leave the connection in the middle of the message.
 *
 * @throws TypeError
 */
export function boundOf(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return value
    default:
      if (value === null) return value
      if (Array.isArray(value)) return Array.from(value, boundOf)
      if (value instanceof Uint8Array) return Buffer.from(copyOfBytes(value).buffer)
      if (value instanceof Date && !Number.isNaN(value.getTime())) return new Date(value)
      throw new TypeError(
        `${value instanceof Date ? 'an invalid date' : `a value of type ${typeof value}`} is not a value of SQL`,
      )
  }
}

/** PostgreSQL's numbers of its types. */
const types = {
  boolean: 16,
  bytea: 17,
  bigint: 20,
  smallint: 21,
  integer: 23,
  oid: 26,
  real: 700,
  double: 701,
  timestamp: 1114,
  timestamptz: 1184,
} as const

const parsers: ReadonlyMap<number, (text: string) => SqlValue> = new Map<number, (text: string) => SqlValue>([
  [types.boolean, (text) => text === 't'],
  [types.bytea, (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex'))],
  [types.bigint, (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text))],
  [types.smallint, Number],
  [types.integer, Number],
  [types.oid, Number],
  [types.real, Number],
  [types.double, Number],
  [types.timestamp, (text) => dateOf(text, `${text}Z`)],
  [types.timestamptz, (text) => dateOf(text, text.replace(/([+-]\d\d)$/, '$1:00'))],
])

/** The parser for the text of a type. */
export const parserOf = (type: number): ((text: string) => SqlValue) => parsers.get(type) ?? ((text) => text)

/** A date, or the text if there is no date for it: infinity, or before the year 1. */
function dateOf(text: string, written: string): SqlValue {
  const date = new Date(written.replace(' ', 'T'))
  return Number.isNaN(date.getTime()) ? text : date
}
