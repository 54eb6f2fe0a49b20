/**
 * The output of a schema for data that is stored. What is stored is that output, as JSON; the schema runs to check it,
 * to make dates of texts, and to fill in what was not there yet when the event was stored. Where it would give another
 * value than the stored one (it reads the clock, or it was changed since), the stored one counts.
 */
import { isItsJson, momentOf } from './difference.ts'
import { decode } from './encoding.ts'
import { checkData } from './event-data.ts'
import { isPlain, type Json, type JsonObject, toJson } from './json.ts'
import type { Checked, Schema } from './schema.ts'

/** Data that is stored under a mark. */
interface Marked {
  readonly $output: Json
}

/** What was read. */
export interface Read {
  readonly value: unknown
  /** Whether something in it is not stored, but made by the schema as it is now. */
  readonly isMore: boolean
}

/** Whether data is stored under a mark. Data of the user's that looks like that is stored under one itself. */
export function isMarked(data: Json): data is Json & Marked {
  if ((data as Partial<Marked> | null)?.$output === undefined) return false
  return Object.keys(data as JsonObject).length === 1
}

/** Data as it is told where nobody knows its schema; what is no good is told as it is. */
export function unmarked(data: Json): unknown {
  if (!isMarked(data)) return data
  const read = rereadMarked(data)
  return isRead(read) ? read.value : data
}

/** What was read, or the schema's objection. */
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
    issues: [{ path: '', message: `the schema makes an instance of ${more.another} that is not the stored one` }],
  }
}

function rereadMarked({ $output }: Marked): Reread {
  try {
    return { value: decode($output), isMore: false }
  } catch (error) {
    return { issues: [{ path: '$output', message: `it is not what is stored there (${messageOf(error)})` }] }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What there is in the schema's output beside what is stored. */
class More {
  isThere = false
  /** The name of a class of which it makes another instance than the one whose JSON is stored. */
  another: string | undefined

  of(value: unknown): unknown {
    this.isThere = true
    return value
  }
}

type Fields = Readonly<Record<string, unknown>>

/** Stored data in the shape that the schema gives it. */
function restored(json: Json, value: unknown, more: More): unknown {
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

/** Where the schema gives another number of items, one that it gives stands for the shape of others. */
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

/** An instance of a class that says what it is, by its `toJSON`, has to be the one that was stored. */
function instance(json: Json, value: object, more: More): unknown {
  if (typeof (value as { readonly toJSON?: unknown }).toJSON !== 'function') return more.of(value)
  try {
    if (isItsJson(toJson('', value), json)) return value
  } catch {
    // It says nothing that could be stored.
  }
  more.another ??= value.constructor?.name ?? 'an unknown class'
  return value
}
