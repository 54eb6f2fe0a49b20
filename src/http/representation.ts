/**
 * How values of a domain are written into answers. Two forms: plain JSON for everybody, and JSON with marks
 * (`domain/encoding.ts`) for the typed client, which gets dates, maps and bigints back as what they are. In both, a
 * personal value is the text `[personal]`, unless the sender of the request may see it. Its box never leaves.
 */
import { encode } from '../domain/encoding.ts'
import { isPlain, type Json } from '../domain/json.ts'
import { plainOf, shown } from '../domain/personal.ts'
import { SealedValue } from '../domain/sealed-value.ts'

/** The media type of JSON with marks. */
export const markedType = 'application/vnd.mneme+json'
export const plainType = 'application/json'

/** Whether the personal values of a subject are shown. */
export type Reveals = (subject: string) => boolean

/** What a forgotten value is shown as, also to those who may see personal values. */
const shownForgotten = '[forgotten]'

/** A value as JSON with marks. */
export const marked = (value: unknown, reveals: Reveals): Json =>
  encode(
    'The answer',
    withoutSealed(value, reveals, (other) => other),
  )

/**
 * A value as plain JSON: a date is its ISO text, a bigint its digits, a map a list of pairs, a set a list. What JSON
 * cannot hold at all, such as NaN, is `null`.
 */
export const plain = (value: unknown, reveals: Reveals): Json => withoutSealed(value, reveals, plainScalar) as Json

/** A copy in which `convert` has changed all values that are neither lists nor records, and personal ones are shown. */
function withoutSealed(value: unknown, reveals: Reveals, convert: (value: unknown) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return convert(value)
  const inner = (each: unknown) => withoutSealed(each, reveals, convert)
  if (SealedValue.is(value)) return inner(opened(value, reveals))
  if (Array.isArray(value)) return value.map(inner)
  if (value instanceof Map || value instanceof Set) {
    const isMap = value instanceof Map
    const items = Array.from(value as Iterable<unknown>, inner)
    const copy = isMap ? new Map(items as [unknown, unknown][]) : new Set(items)
    return convert(copy) === copy ? copy : items
  }
  if (!isPlain(value)) return convert(value)
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const item = (value as Readonly<Record<string, unknown>>)[key]
    if (item === undefined) continue
    // A key `__proto__` is a key like any other.
    Object.defineProperty(copy, key, { value: inner(item), enumerable: true, configurable: true, writable: true })
  }
  return copy
}

/** @throws StoreError `KEYS_UNCONFIRMED` */
function opened(value: SealedValue, reveals: Reveals): unknown {
  if (value.isForgotten) return shownForgotten
  if (!reveals(value.subject)) return shown
  const text = SealedValue.read(value)
  return text === undefined ? shownForgotten : plainOf(value)
}

function plainScalar(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'bigint':
      return `${value}`
    case 'object':
      return value === null ? null : plainObject(value)
    default:
      return null
  }
}

function plainObject(value: object): unknown {
  if (value instanceof Map || value instanceof Set) return undefined
  if (value instanceof Date) return Number.isFinite(value.getTime()) ? value.toISOString() : null
  return JSON.parse(JSON.stringify(value) ?? 'null')
}
