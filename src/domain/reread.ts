/**
 * Reads stored data with its schema. The stored data is the output of the schema, as JSON. The schema runs again to
 * check it, to turn strings into dates, and to fill in fields that it did not have when the event was stored. If it
 * gives another value than the stored one (because it reads the clock, or was changed), the stored value counts.
 */
import { isItsJson, momentOf } from './difference.ts'
import { decode } from './encoding.ts'
import { wordsOf } from './error-words.ts'
import { checkData } from './event-data.ts'
import { isPlain, type Json, type JsonObject, toJson } from './json.ts'
import type { Checked, Schema } from './schema.ts'
import { SealedValue } from './sealed-value.ts'

/** Data that is stored under a mark. */
interface Marked {
  readonly $output: Json
}

/** The data as read. */
export interface Read {
  readonly value: unknown
  /** Whether a part of it was not stored, but was made by the schema just now. */
  readonly isMore: boolean
}

/** Whether data is stored under a mark. Data of the user that looks like this is itself stored under a mark. */
export function isMarked(data: Json): data is Json & Marked {
  if ((data as Partial<Marked> | null)?.$output === undefined) return false
  return Object.keys(data as JsonObject).length === 1
}

/** Data whose schema is unknown. If a mark is not valid, the data is returned as it is stored. */
export function unmarked(data: Json): unknown {
  if (!isMarked(data)) return data
  const read = rereadMarked(data)
  return isRead(read) ? read.value : data
}

/** The data as read, or the issues of the schema. */
export type Reread = Read | Exclude<Checked, { readonly value: unknown }>

export const isRead = (found: Reread): found is Read => found !== 'async' && 'value' in found

/**
 * Reads data with the schema that it was stored with.
 *
 * @param asks as for `checkData`
 */
export function reread(schema: Schema, data: Json, asks = true): Reread {
  if (isMarked(data)) return rereadMarked(data)
  const checked = checkData(schema, data, asks)
  if (checked === 'async' || 'issues' in checked) return checked
  const { value } = checked
  if (isItsJson(value, data)) return { value, isMore: false }
  const more = new More()
  const whole = restored(data, value, more)
  if (more.another === undefined) return { value: whole, isMore: more.isThere }
  return {
    issues: [{ path: '', message: `the schema makes an instance of ${more.another} that differs from the stored one` }],
  }
}

function rereadMarked({ $output }: Marked): Reread {
  try {
    return { value: decode($output), isMore: false }
  } catch (error) {
    return { issues: [{ path: '$output', message: `it is not valid in stored data (${wordsOf(error)})` }] }
  }
}

/** What the schema's output has beyond the stored data. */
class More {
  isThere = false
  /** The name of a class, if the schema makes an instance that differs from the stored one. */
  another: string | undefined

  of(value: unknown): unknown {
    this.isThere = true
    return value
  }
}

type Fields = Readonly<Record<string, unknown>>

/** Stored data, with the types of the schema's output. */
function restored(json: Json, value: unknown, more: More): unknown {
  // The schema has found it in its box.
  if (SealedValue.is(value)) return value
  if (value === json || value === undefined || value === null || json === null) return json
  if (typeof value !== 'object') return typeof value === typeof json ? json : more.of(value)
  if (Object.getPrototypeOf(value) === Date.prototype) {
    const time = typeof json === 'string' ? momentOf(json) : Number.NaN
    return Number.isNaN(time) ? more.of(value) : new Date(time)
  }
  if (Array.isArray(value)) return Array.isArray(json) ? restoredList(json, value, more) : more.of(value)
  if (isPlain(value)) return isRecord(json) ? restoredRecord(json, value as Fields, more) : more.of(value)
  return instance(json, value, more)
}

/** If the schema gives fewer items, its last one shows the types of the others. */
function restoredList(json: readonly Json[], list: readonly unknown[], more: More): unknown {
  return json.map((item, i) => restored(item, i < list.length ? list[i] : list.at(-1), more))
}

function restoredRecord(json: JsonObject, record: Fields, more: More): unknown {
  const copy: Record<string, unknown> = {}
  const put = (key: string, item: unknown) => {
    if (key !== '__proto__') copy[key] = item
    else Object.defineProperty(copy, key, { value: item, enumerable: true, configurable: true, writable: true })
  }
  for (const key of Object.keys(json)) {
    put(key, Object.hasOwn(record, key) ? restored(json[key]!, record[key], more) : json[key])
  }
  for (const key of Object.keys(record)) {
    if (Object.hasOwn(json, key)) continue
    const item = record[key]
    put(key, item === undefined ? item : more.of(item))
  }
  return copy
}

const isRecord = (json: Json): json is JsonObject => typeof json === 'object' && json !== null && !Array.isArray(json)

/** An instance of a class with a `toJSON` must have the same JSON as the stored one. */
function instance(json: Json, value: object, more: More): unknown {
  if (typeof (value as { readonly toJSON?: unknown }).toJSON !== 'function') return more.of(value)
  try {
    if (isItsJson(toJson('', value), json)) return value
  } catch {
    // It has no JSON, so it differs.
  }
  more.another ??= value.constructor?.name ?? 'an unknown class'
  return value
}
