/** Where rows are read: all of a storage, or those of a range of an index's entries. */

import type { Json } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { Condition, ProjectionStore, Row } from '../../store/store.ts'
import { entryKey } from '../stored/index-entries.ts'
import { userKey } from '../stored/row-key.ts'
import { userRowPages } from '../stored/row-pages.ts'
import { decodeRow, formedRow, isText } from '../stored/row-value.ts'
import type { EntryRange, IndexPlan } from './index-plan.ts'
import type { Found } from './query.ts'

export interface RowSource {
  readonly store: ProjectionStore
  /** The name under which the rows are stored. */
  readonly storage: string
  readonly breath: Breath
}

/** Rows changed while they were read. */
export class Moved extends Error {
  override readonly name = 'Moved'
}

/** A row that was read, also as it is stored. */
export interface ReadRow extends Found<unknown> {
  readonly value: Json
}

/** The number of rows that are read at once. */
const pageSize = 1000
/** How many rows are loaded first, to see how large they are. */
const loadedFirst = 50

/** All rows, except those that the store knows not to meet the conditions. */
export async function* allRows(source: RowSource, where: readonly Condition[]): AsyncGenerator<ReadRow> {
  const { store, storage, breath } = source
  for await (const page of userRowPages(store, storage, { where, limit: pageSize })) {
    await breath.pause()
    for (const { key, value } of page) {
      if (breath.isDue) await breath.pause()
      if (value !== undefined) yield { key: userKey(key), row: decodeRow(source, key, value), value }
    }
  }
}

/** What of a range is probably wanted. */
export interface Wanted {
  /** How many rows. */
  readonly first: number
  /** How many characters of JSON all of them may have. Fewer are loaded at once if they are large. */
  readonly charactersMax: number
}

/**
 * The rows of a range of entries, in the order of the entries.
 *
 * @throws Moved if a row has changed since its entry was read
 */
export async function* rowsOf(
  source: RowSource,
  { index, n }: IndexPlan,
  range: EntryRange,
  wanted: Wanted,
): AsyncGenerator<ReadRow> {
  const { breath } = source
  for await (const entries of entryPages(source, range, wanted.first)) {
    for await (const { key, entry, value } of loaded(source, entries, wanted.charactersMax)) {
      if (breath.isDue) await breath.pause()
      const row = value === undefined ? undefined : decodeRow(source, key, value)
      if (value === undefined || entryKey(index, n, userKey(key), row) !== entry) throw new Moved()
      yield { key: userKey(key), row, value }
    }
  }
}

/** Entries with their rows, of which so many are loaded at once as have about so many characters. */
async function* loaded(
  { store, storage }: RowSource,
  entries: readonly Entry[],
  charactersMax: number,
): AsyncGenerator<Entry & { readonly value: Json | undefined }> {
  const isBounded = charactersMax < Number.POSITIVE_INFINITY
  let count = isBounded ? loadedFirst : entries.length
  for (let start = 0; start < entries.length; ) {
    const some = entries.slice(start, start + count)
    const values = await store.loadRows(
      storage,
      some.map(({ key }) => key),
    )
    for (const [i, entry] of some.entries()) yield { ...entry, value: values[i] }
    start += some.length
    if (isBounded) count = Math.max(1, Math.floor((charactersMax * some.length) / charactersIn(values)))
  }
}

const charactersIn = (values: readonly (Json | undefined)[]): number =>
  values.reduce((sum: number, value) => sum + (value === undefined ? 0 : JSON.stringify(value).length), 1)

interface Entry {
  readonly entry: string
  /** The stored key of the row. */
  readonly key: string
}

/** The entries of a range, page by page. */
async function* entryPages(
  source: RowSource,
  { prefix, after: start, end }: EntryRange,
  first: number,
): AsyncGenerator<readonly Entry[]> {
  const { store, storage, breath } = source
  let limit = Math.min(first, pageSize)
  for (let after = start; ; ) {
    const { rows, next } = await store.listRows(storage, { prefix, limit, ...(after !== undefined && { after }) })
    await breath.pause()
    const within = end === undefined ? rows : rows.filter(({ key }) => key < end)
    const entryOf = ({ key, value }: Row): Entry => ({ entry: key, key: formedRow(source, key, value, isText) })
    if (within.length > 0) yield within.map(entryOf)
    if (next === undefined || within.length < rows.length) return
    after = next
    limit = pageSize
  }
}
