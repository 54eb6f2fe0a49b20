/** Where two values differ by their contents: what a schema gives, compared with what it was given or with what it gave before. */
import { depthMax, isPlain, type Json, type JsonObject } from './json.ts'

type Fields = Readonly<Record<string, unknown>>

/** The path of the first difference between two values; undefined if there is none. Two functions count as the same. */
export function difference(a: unknown, b: unknown, path = '', depth = 0): string | undefined {
  if (Object.is(a, b) || (typeof a === 'function' && typeof b === 'function')) return undefined
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return path
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return path
  // Deeper than any data goes is only a cycle, which has been walked through often enough.
  if (depth >= depthMax) return undefined
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime()) ? undefined : path
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

/** Whether a text is taken for a date. */
type DateTest = (date: Date, text: string) => boolean

/** It names its moment in UTC: without a zone it would be another moment elsewhere. */
const isMoment: DateTest = (date, text) => text.endsWith('Z') && Date.parse(text) === date.getTime()

/** For what was stored by `isMoment`; reading a date costs more than all the rest. */
export const anyText: DateTest = () => true

/**
 * Whether some data is the JSON of a value: nothing is added, left out or changed. It is on the way of every event, so it allocates
 * nothing.
 */
export function isItsJson(value: unknown, json: Json, isDate: DateTest = isMoment): boolean {
  if (value === json) return true
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Date) return typeof json === 'string' && isDate(value, json)
  if (typeof json !== 'object' || json === null) return false
  if (Array.isArray(value)) return Array.isArray(json) && isItsList(value, json, isDate)
  return !Array.isArray(json) && isPlain(value) && isItsRecord(value as Fields, json as JsonObject, isDate)
}

function isItsList(list: readonly unknown[], json: readonly Json[], isDate: DateTest): boolean {
  const { length } = list
  if (json.length !== length) return false
  for (let i = 0; i < length; i++) if (list[i] !== json[i] && !isItsJson(list[i], json[i]!, isDate)) return false
  return true
}

function isItsRecord(record: Fields, json: JsonObject, isDate: DateTest): boolean {
  let count = 0
  for (const key in record) {
    const item = record[key]
    if (item === undefined) continue
    const own = json[key]!
    if (item !== own && (typeof item !== 'object' || !isItsJson(item, own, isDate))) return false
    count++
  }
  for (const _ in json) count--
  return count === 0
}

/** Whether all that a value is can be seen from outside: a function or an instance of a class may hold more. What has a `toJSON` says it all by that. */
export function isTransparent(value: unknown, depth = 0): boolean {
  if (typeof value === 'function') return false
  if (typeof value !== 'object' || value === null || value instanceof Date) return true
  if (depth >= depthMax) return false
  if (value instanceof Map || value instanceof Set) return isTransparent([...value], depth + 1)
  if (typeof (value as { readonly toJSON?: unknown }).toJSON === 'function') return true
  return (
    (Array.isArray(value) || isPlain(value)) && Object.values(value).every((item) => isTransparent(item, depth + 1))
  )
}
