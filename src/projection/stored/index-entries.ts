/**
 * Indexes of rows. An index is a list of fields, each in a direction. For each row it has an entry: a row of its own in
 * the same storage, whose key is the order of the fields and of the row's key (`order-key.ts`), and whose value is the
 * row's key. Every store keeps rows in the order of their keys, so rows in the order of an index are a range of
 * entries, on every store.
 *
 * Entries are saved in the step that changes their row, and are built, retired and deleted with the rows of their
 * generation. The note of the checkpoint says which indexes a storage has: those of the definition with which its first
 * step was saved. Every program maintains these, whatever its own definition says, so none is ever incomplete.
 */
import { decode } from '../../domain/encoding.ts'
import { fieldOf, type Ordering } from '../../domain/field-path.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { Row } from '../../store/store.ts'
import { orderKey, orderKeyOfRow } from './order-key.ts'
import { isOwnKey, ownMark, userKey } from './row-key.ts'
import { type Form, fieldsOf, formedNote, isText, listOf, type RowPlace } from './row-value.ts'

/** The fields of an index. */
export type Index = readonly Ordering[]

const isSign: Form = (found) => found === 1 || found === -1
const isIndex: Form = (found) => listOf(fieldsOf({ field: isText, sign: isSign }))(found) && (found as Index).length > 0
/** Whether a note of a checkpoint names indexes as they were stored. */
export const areIndexes: Form = listOf(isIndex)
const isNote = fieldsOf({}, { indexes: areIndexes })

/** The indexes that the note of a checkpoint names. @throws StoreError `STORE_CORRUPT` */
export const indexesIn = (place: RowPlace, note: JsonObject): readonly Index[] =>
  formedNote<{ readonly indexes?: readonly Index[] }>(place, note, isNote).indexes ?? []

/** The beginning of the keys of all entries of an index. @param n the number of the index in its storage */
export const entriesOf = (n: number): string => `${ownMark}index ${n} `

/** A part of an entry's key: the order of a value, or the opposite order. */
export const signed = (part: string, sign: 1 | -1): string => (sign === 1 ? part : Array.from(part, opposite).join(''))

/** Turns the order of ASCII characters round. No order key begins another one, so this turns their order round too. */
const opposite = (character: string): string => String.fromCharCode(0x80 - character.charCodeAt(0))

/** The part of an entry's key that tells rows with equal fields apart. */
const endOfEntry = (index: Index, key: string): string => signed(orderKeyOfRow(key), index.at(-1)!.sign)

/** The key of the entry of a row. */
export function entryKey(index: Index, n: number, key: string, row: unknown): string {
  const parts = index.map(({ field, sign }) => signed(orderKey(fieldOf(row, field)), sign))
  return `${entriesOf(n)}${parts.join('')}${endOfEntry(index, key)}`
}

/**
 * The entries that change with rows.
 *
 * @param before the stored values of the rows, by their stored keys
 * @param rows the rows after a step, each once
 */
export function changedEntries(
  indexes: readonly Index[],
  before: ReadonlyMap<string, Json | undefined>,
  rows: readonly Row[],
): readonly Row[] {
  if (indexes.length === 0) return []
  return rows.flatMap(({ key, value }): readonly Row[] => {
    if (isOwnKey(key)) return []
    const [old, now] = [before.get(key), value].map((json) => (json === undefined ? undefined : decode(json)))
    return indexes.flatMap((index, n): readonly Row[] => {
      const gone = old === undefined ? undefined : entryKey(index, n, userKey(key), old)
      const made = now === undefined ? undefined : entryKey(index, n, userKey(key), now)
      if (gone === made) return []
      return [
        ...(gone === undefined ? [] : [{ key: gone, value: undefined }]),
        ...(made === undefined ? [] : [{ key: made, value: key }]),
      ]
    })
  })
}
