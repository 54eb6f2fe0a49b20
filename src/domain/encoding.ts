/**
 * Turns states and rows into JSON and back. Unlike event data, they have no schema that could restore a date. Values
 * that JSON does not have are therefore written with a mark: `{ "$date": "2026-01-01T00:00:00.000Z" }` is a Date. The
 * other marks are `$bigint`, `$map`, `$set`, `$number` (NaN, infinities) and `$undefined`. A key of the user that
 * starts with `$` gets one more `$`. A personal value is written as its box (`sealed-value.ts`). A value that cannot be
 * restored (a function, a class instance, a symbol) is refused with its path.
 */
import { InputError } from './error.ts'
import { depthMax, isPlain, type Json } from './json.ts'
import { isAnyBox, SealedValue, valueIn } from './sealed-value.ts'

/**
 * A state or row as JSON.
 *
 * @throws InputError `DATA_NOT_JSON`
 */
export function encode(what: string, value: unknown): Json {
  return encodeAt(what, value, '', 0)
}

/**
 * The same for a value that will not change: nothing is copied if all of it is JSON.
 *
 * @throws InputError `DATA_NOT_JSON`
 */
export function encodeFrozen(what: string, value: unknown): Json {
  return isUnmarked(value, 0) ? (value as Json) : encode(what, value)
}

/** Whether a value is written as it is, by `JSON.stringify` too. */
function isUnmarked(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (typeof value !== 'object' || depth >= depthMax) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isUnmarked(value[i], depth + 1)) return false
    return true
  }
  if (!isPlain(value) || 'toJSON' in value) return false
  for (const key in value) {
    // What is `undefined` in a record is left out either way.
    const item = (value as Readonly<Record<string, unknown>>)[key]
    if (item !== undefined && (key[0] === '$' || !isUnmarked(item, depth + 1))) return false
  }
  return true
}

/** JSON in a store that `encode` does not write: it was damaged, or something else has written it. */
export class NotEncoded extends Error {
  override readonly name = 'NotEncoded'
}

/**
 * A state or row from its JSON: an equal copy of what `encode` was given.
 *
 * @throws NotEncoded for JSON that `encode` does not write, so that nothing is read as something else
 */
export function decode(json: Json): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(decode)
  const keys = Object.keys(json)
  const only = keys.length === 1 ? keys[0]! : ''
  const held = (json as Record<string, Json>)[only]
  if (only === '$personal') return valueIn(json) ?? locked(json) ?? refuseMark(only, held!)
  if (isMark(only)) return marked(only, held!)
  const copy: Record<string, unknown> = {}
  for (const key of keys) {
    if (isMark(key)) throw new NotEncoded(`${key} is not alone`)
    put(copy, key.startsWith('$$') ? key.slice(1) : key, decode((json as Record<string, Json>)[key]!))
  }
  return copy
}

/** The same for JSON that nobody else has, so that what is the same in it need not be copied. */
export const decodeOwn = (json: Json): unknown => (hasMark(json) ? decode(json) : json)

function hasMark(json: Json): boolean {
  if (typeof json !== 'object' || json === null) return false
  if (Array.isArray(json)) return json.some(hasMark)
  for (const key in json) if (key[0] === '$' || hasMark((json as Record<string, Json>)[key]!)) return true
  return false
}

/** A box whose key nobody has looked for, because no part of the domain declares personal fields. It stays as it is. */
const locked = (json: Json): SealedValue | undefined =>
  isAnyBox(json) ? new SealedValue({ subject: '', box: json }) : undefined

/** A key that is not the user's. */
const isMark = (key: string): boolean => key[0] === '$' && key[1] !== '$'

function marked(mark: string, held: Json): unknown {
  switch (mark) {
    case '$date':
      return dateOf(held)
    case '$bigint':
      if (typeof held === 'string' && wholeNumber.test(held)) return BigInt(held)
      break
    case '$number':
      if (typeof held === 'string' && notInJson.has(held)) return notInJson.get(held)
      break
    case '$undefined':
      if (held === true) return undefined
      break
    case '$map':
      if (Array.isArray(held) && held.every(isPair)) {
        const map = new Map(held.map(([key, value]) => [decode(key!), decode(value!)]))
        if (map.size === held.length) return map
      }
      break
    case '$set':
      if (Array.isArray(held)) {
        const set = new Set(held.map(decode))
        if (set.size === held.length) return set
      }
      break
  }
  return refuseMark(mark, held)
}

function dateOf(held: Json): Date {
  const date = new Date(typeof held === 'string' ? held : Number.NaN)
  const isSame = held === null || (!Number.isNaN(date.getTime()) && date.toISOString() === held)
  return isSame ? date : refuseMark('$date', held)
}

const wholeNumber = /^(?:0|-?[1-9]\d*)$/
const notInJson: ReadonlyMap<string, number> = new Map(
  [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0].map((number) => [textOf(number), number]),
)

const isPair = (item: Json): item is readonly Json[] => Array.isArray(item) && item.length === 2

function refuseMark(mark: string, held: Json): never {
  const text = JSON.stringify(held)
  throw new NotEncoded(`${mark} marks ${text.length > textMax ? `${text.slice(0, textMax).toWellFormed()}...` : text}`)
}

const textMax = 60

function encodeAt(what: string, value: unknown, path: string, depth: number): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: textOf(value) }
    case 'bigint':
      return { $bigint: `${value}` }
    case 'undefined':
      return { $undefined: true }
    case 'object':
      if (value === null) return null
      if (depth >= depthMax) refuse(what, path, `something nested more than ${depthMax} deep, or a cycle`)
      return encodeObject(what, value, path, depth)
    default:
      return refuse(what, path, `a ${typeof value}`)
  }
}

function textOf(number: number): string {
  return Object.is(number, -0) ? '-0' : `${number}`
}

function encodeObject(what: string, value: object, path: string, depth: number): Json {
  const list = (items: Iterable<unknown>) =>
    Array.from(items, (item, i) => encodeAt(what, item, `${path}[${i}]`, depth + 1))
  if (Array.isArray(value)) return list(value)
  if (isPlain(value)) return encodeRecord(what, value, path, depth)
  if (SealedValue.is(value)) return SealedValue.boxOf(value, what, path)
  if (!isSpecial(value)) return refuse(what, path, `an instance of ${value.constructor?.name ?? 'unknown class'}`)
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  return value instanceof Map ? { $map: list(value) } : { $set: list(value as Set<unknown>) }
}

function encodeRecord(what: string, record: object, path: string, depth: number): Json {
  const copy: Record<string, Json> = {}
  for (const key of Object.keys(record)) {
    const item = (record as Readonly<Record<string, unknown>>)[key]
    if (item === undefined) continue
    put(
      copy,
      key.startsWith('$') ? `$${key}` : key,
      encodeAt(what, item, path === '' ? key : `${path}.${key}`, depth + 1),
    )
  }
  return copy
}

const special: readonly object[] = [Date.prototype, Map.prototype, Set.prototype]

/** A subclass of these does not count, nor an instance with extra properties: that information would be lost. */
function isSpecial(value: object): boolean {
  return special.includes(Object.getPrototypeOf(value)) && Object.keys(value).length === 0
}

function put(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

function refuse(what: string, path: string, found: string): never {
  throw new InputError('DATA_NOT_JSON', { what, path, found })
}
