/**
 * What the driver is given of a caller's values, and what a caller gets of PostgreSQL's values, whatever the driver is
 * set up to do elsewhere: `bigint` is a number where that is exact, else a bigint; a timestamp is a `Date`, `bytea`
 * bytes; every other type is its text, `numeric`, `date`, `json` and arrays among them.
 */
import { copyOfBytes } from '../../sql-bytes.ts'
import type { SqlValue } from '../../store.ts'

/**
 * A value as it is now, of a kind that the driver can send: what throws while it writes a message leaves the connection
 * in the middle of it. Lists become arrays.
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
        `${value instanceof Date ? 'an invalid date' : `a value of type ${typeof value}`} is none of SQL`,
      )
  }
}

/** The numbers by which PostgreSQL calls its types. */
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

/** What reads the text of a type. */
export const parserOf = (type: number): ((text: string) => SqlValue) => parsers.get(type) ?? ((text) => text)

/** A date where there is one for it: not for infinity, nor before the year 1. */
function dateOf(text: string, written: string): SqlValue {
  const date = new Date(written.replace(' ', 'T'))
  return Number.isNaN(date.getTime()) ? text : date
}
