/**
 * Stored rows as values. A store recognises most damage by its checksums. A row that fits its checksum, and has
 * something that was never stored there, was written by something else. It counts as damage of the store too: it is
 * never read as another value, and is nobody's failure but the store's.
 */
import { decode, NotEncoded } from '../../domain/encoding.ts'
import { StoreError } from '../../domain/error.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { ProjectionStore } from '../../store/store.ts'

/** Where rows are stored: the store, and the name of their storage. */
export interface RowPlace {
  readonly store: Pick<ProjectionStore, 'name'>
  readonly storage: string
}

/** The value of a row that `encode` has written. @throws StoreError `STORE_CORRUPT` */
export function decodeRow(place: RowPlace, key: string, value: Json): unknown {
  try {
    return decode(value)
  } catch (cause) {
    throw cause instanceof NotEncoded ? damagedRow(place, key, cause.message) : cause
  }
}

/** A row of the library's own, if it has the expected form. @throws StoreError `STORE_CORRUPT` */
export function formedRow<Value>(place: RowPlace, key: string, value: unknown, isFormed: Form): Value {
  if (isFormed(value)) return value as Value
  throw damagedRow(place, key, otherForm)
}

/** The note of a checkpoint, if it has the expected form. @throws StoreError `STORE_CORRUPT` */
export function formedNote<Note>(place: RowPlace, note: JsonObject, isFormed: Form): Note {
  if (isFormed(note)) return note as Note
  throw damaged(place, `the checkpoint of ${place.storage}`, otherForm)
}

/** The error if a checkpoint is there without its rows, or they without it. They are stored and deleted together. */
export function halfOf(place: RowPlace, missing: 'checkpoint' | 'rows'): StoreError {
  const reasons = {
    checkpoint: 'it is gone, and its rows are there; if somebody has deleted it, use `rebuild` or `reset`',
    rows: 'they are gone, and their checkpoint is there; if somebody has deleted them, use `rebuild` or `reset`',
  }
  return damaged(place, `the ${missing} of ${place.storage}`, reasons[missing])
}

const otherForm = 'it is not of the form in which it was stored'

const damagedRow = (place: RowPlace, key: string, reason: string): StoreError =>
  damaged(place, `the row ${JSON.stringify(key)} of ${place.storage}`, reason)

const damaged = ({ store }: RowPlace, where: string, reason: string): StoreError =>
  new StoreError('STORE_CORRUPT', { store: store.name, where, reason })

/** Whether something stored has a form. */
export type Form = (found: unknown) => boolean

export const isText: Form = (found) => typeof found === 'string'
export const isWhole: Form = (found) => Number.isSafeInteger(found) && (found as number) >= 0
export const isTrue: Form = (found) => found === true
/** Milliseconds since 1970. */
export const isTime: Form = (found) => typeof found === 'number' && !Number.isNaN(new Date(found).getTime())
export const isRecord: Form = (found) => typeof found === 'object' && found !== null && !Array.isArray(found)

export const listOf =
  (form: Form): Form =>
  (found) =>
    Array.isArray(found) && found.every(form)

/** A record of anything of one form, whatever the keys are. */
export const recordOf =
  (form: Form): Form =>
  (found) =>
    isRecord(found) && Object.values(found as object).every(form)

/** A record with these fields, and with some of the optional ones. Others are left alone. */
export const fieldsOf = (
  needed: Readonly<Record<string, Form>>,
  optional: Readonly<Record<string, Form>> = {},
): Form => {
  const [musts, mays] = [Object.entries(needed), Object.entries(optional)]
  return (found) => {
    if (!isRecord(found)) return false
    const at = (name: string) => (Object.hasOwn(found as object, name) ? (found as any)[name] : undefined)
    return (
      musts.every(([name, form]) => form(at(name))) &&
      mays.every(([name, form]) => at(name) === undefined || form(at(name)))
    )
  }
}
