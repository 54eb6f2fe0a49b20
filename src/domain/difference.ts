/** Compares values by their contents: the output of a schema with its input, or with an earlier output. */
import { depthMax, isPlain, type Json, type JsonObject } from './json.ts'
import { SealedValue } from './sealed-value.ts'

type Fields = Readonly<Record<string, unknown>>

/** The path of the first difference between two values; `undefined` if there is none. Any two functions are equal. */
export function difference(a: unknown, b: unknown, path = '', depth = 0): string | undefined {
  if (Object.is(a, b) || (typeof a === 'function' && typeof b === 'function')) return undefined
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return path
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return path
  // Data is never this deep, so this is a cycle. It was compared often enough.
  if (depth >= depthMax) return undefined
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime()) ? undefined : path
  if (SealedValue.is(a)) return SealedValue.isSame(a, b as SealedValue) ? undefined : path
  if (a instanceof RegExp) return String(a) === String(b) ? undefined : path
  if (a instanceof Map || a instanceof Set)
    return difference([...a], [...(b as typeof a)] as unknown[], path, depth + 1)
  const { toJSON } = a as { readonly toJSON?: unknown }
  if (typeof toJSON === 'function') return JSON.stringify(a) === JSON.stringify(b) ? undefined : path
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return path
  for (const key of keys) {
    const [own, other] = [(a as Fields)[key], (b as Fields)[key]]
    if (Object.is(own, other) && own !== undefined) continue
    const inner = Array.isArray(a) ? `${path}[${key}]` : pathOf(path, key)
    if (!Object.hasOwn(b, key)) return inner
    const found = difference(own, other, inner, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

/** The path of a property. */
export const pathOf = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)

/**
 * The time of a text in UTC, in milliseconds; NaN if it is not a time in UTC. A text without a zone would mean another
 * time on another machine. Texts in the stored form are parsed here, because `Date.parse` would cost more than all
 * other work on an event.
 */
export function momentOf(text: string): number {
  if (!text.endsWith('Z')) return Number.NaN
  const quick = text.length === 24 ? isoMoment(text) : Number.NaN
  return Number.isNaN(quick) ? Date.parse(text) : quick
}

/** The time of a text like `2026-01-01T00:00:00.000Z`, from year 1 on; NaN for any other text. */
function isoMoment(text: string): number {
  const isIso =
    text.charCodeAt(4) === 45 &&
    text.charCodeAt(7) === 45 &&
    text.charCodeAt(10) === 84 &&
    text.charCodeAt(13) === 58 &&
    text.charCodeAt(16) === 58 &&
    text.charCodeAt(19) === 46
  if (!isIso) return Number.NaN
  const year = two(text, 0) * 100 + two(text, 2)
  const month = two(text, 5)
  const day = two(text, 8)
  const hour = two(text, 11)
  const minute = two(text, 14)
  const second = two(text, 17)
  const ms = two(text, 20) * 10 + (two(text, 21) % 10)
  // The days that some months lack are left to `Date.parse`.
  const isDay = year > 0 && month > 0 && month <= 12 && day > 0 && (day <= 28 || (day <= 30 && month !== 2))
  return isDay && hour < 24 && minute < 60 && second < 60
    ? ((daysTo(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + ms
    : Number.NaN
}

/** The number that two digits make; NaN if they are not digits. */
function two(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

/** Days since 1970. The year begins in March here, so that a leap day is its last day. */
function daysTo(year: number, month: number, day: number): number {
  const y = month > 2 ? year : year - 1
  const era = Math.floor(y / 400)
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const yearOfEra = y - era * 400
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

/** Whether some data is exactly the JSON of a value. Every event passes here, so it allocates nothing. */
export function isItsJson(value: unknown, json: Json): boolean {
  if (value === json) return true
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Date) return typeof json === 'string' && momentOf(json) === value.getTime()
  if (typeof json !== 'object' || json === null) return false
  if (Array.isArray(value)) return Array.isArray(json) && isItsList(value, json)
  if (Array.isArray(json)) return false
  return isPlain(value)
    ? isItsRecord(value as Fields, json as JsonObject)
    : SealedValue.is(value) && SealedValue.hasBox(value, json)
}

function isItsList(list: readonly unknown[], json: readonly Json[]): boolean {
  const { length } = list
  if (json.length !== length) return false
  for (let i = 0; i < length; i++) if (list[i] !== json[i] && !isItsJson(list[i], json[i]!)) return false
  return true
}

function isItsRecord(record: Fields, json: JsonObject): boolean {
  let count = 0
  for (const key in record) {
    const item = record[key]
    if (item === undefined) continue
    const own = json[key]!
    if (item !== own && (typeof item !== 'object' || !isItsJson(item, own))) return false
    count++
  }
  for (const _ in json) count--
  return count === 0
}
