/**
 * States and data as JSON for people and programs to look at. It is for showing only: values that JSON lacks are
 * written in the way that is easiest to read, and cannot be told from texts afterwards. A personal value is
 * `[personal]`, whether its key is there or not, also in data as they are stored.
 */
import { type Json, Personal } from '../../../src/index.ts'

/** A value that is nested deeper than this is cut. */
const depthMax = 100

/** A value as JSON to look at. A cycle is cut. */
export function shown(value: unknown, around: readonly object[] = []): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (value === undefined) return null
  if (typeof value !== 'object') return String(value)
  if (around.length >= depthMax || around.includes(value)) return '...'
  if (value instanceof Personal || isStoredPersonal(value)) return '[personal]'
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  const inside = [...around, value]
  const next = (part: unknown) => shown(part, inside)
  if (Array.isArray(value)) return value.map(next)
  if (value instanceof Set) return [...value].map(next)
  if (value instanceof Map) return showMap(value, next)
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  const { toJSON } = value as { readonly toJSON?: unknown }
  if (typeof toJSON === 'function') return next(toJSON.call(value))
  return fields(
    Object.entries(value).filter(([, part]) => part !== undefined),
    next,
  )
}

/** The stored form of a personal value. It is plain text if it was stored before its field was declared as personal. */
const isStoredPersonal = (value: object): boolean => '$personal' in value && Object.keys(value).length === 1

/** An object if the keys can be its keys, otherwise a list of pairs. */
function showMap(map: ReadonlyMap<unknown, unknown>, next: (part: unknown) => Json): Json {
  const entries = [...map]
  const hasTexts = entries.every(([key]) => typeof key === 'string')
  return hasTexts ? fields(entries as [string, unknown][], next) : entries.map(([key, part]) => [next(key), next(part)])
}

/** Defined one by one, because a key may be `__proto__`. */
function fields(entries: readonly (readonly [string, unknown])[], next: (part: unknown) => Json): Json {
  return Object.fromEntries(entries.map(([key, part]) => [key, next(part)]))
}
