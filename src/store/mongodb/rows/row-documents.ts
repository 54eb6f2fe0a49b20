/**
 * Rows as documents: `{ projection, key, at, value }`, with the value as JSON text. `at` is the number of the step that
 * wrote the row. A deleted row stays for a while as a document without a value (see `write-ahead.ts`).
 */
import type { Json } from '../../../domain/json.ts'
import { isMet, rowCharactersMax, rowsLookedAtMax } from '../../row-page.ts'
import type { Row, RowPage, RowQuery } from '../../store.ts'
import type { Database } from '../database/database.ts'
import type { Document } from '../database/driver.ts'
import { checkFields, type FieldCheck, optional, text, whole } from '../database/fields.ts'
import { indexes } from '../database/indexes.ts'
import { fromText, toText } from '../database/json-text.ts'

export interface RowDocument {
  readonly projection: string
  readonly key: string
  readonly at: number
  readonly value?: string
}

const fields: Readonly<Record<string, FieldCheck>> = { key: text, at: whole, value: optional(text) }

/** A row that a step writes. Without a value it is deleted. */
export interface RowText {
  readonly key: string
  readonly value: string | null
}

/** The greatest number of rows of one command, and their approximate bytes. */
const chunkCountMax = 250
const chunkBytesMax = 8_000_000
const pageMax = 1000
/** The size of a row in a command without its texts. */
const bytesOfRow = 256

/** The rows of a step, the last one for each key. @throws InputError `DATA_NOT_JSON` */
export function rowTexts(rows: readonly Row[]): readonly RowText[] {
  const last = new Map(rows.map(({ key, value }) => [key, value]))
  return Array.from(last, ([key, value]) => ({
    key,
    value: value === undefined ? null : toText(`The row ${key}`, value),
  }))
}

/** The approximate number of bytes of rows. */
export const bytesOfRows = (rows: readonly RowText[]): number =>
  rows.reduce((sum, { key, value }) => sum + bytesOfRow + Buffer.byteLength(key) + Buffer.byteLength(value ?? ''), 0)

/** Rows in portions that fit in a command. */
export function chunksOf(rows: readonly RowText[]): readonly (readonly RowText[])[] {
  const chunks: RowText[][] = []
  let bytes = 0
  for (const row of rows) {
    const size = bytesOfRows([row])
    const chunk = chunks.at(-1)
    if (chunk === undefined || chunk.length >= chunkCountMax || bytes + size > chunkBytesMax) {
      chunks.push([row])
      bytes = size
    } else {
      chunk.push(row)
      bytes += size
    }
  }
  return chunks
}

export class RowDocuments {
  readonly #database: Database
  readonly #label: string

  constructor(database: Database, label: string) {
    this.#database = database
    this.#label = label
  }

  /** The rows of a projection with these keys. */
  async find(projection: string, keys: readonly string[]): Promise<readonly RowDocument[]> {
    const wanted = [...new Set(keys)]
    const found: RowDocument[] = []
    for (let start = 0; start < wanted.length; start += pageMax) {
      const some = wanted.slice(start, start + pageMax)
      const filter = { projection, key: some.length === 1 ? some[0] : { $in: some } }
      found.push(...this.#checked(await this.#database.find<RowDocument>('rows', { filter, hint: indexes.byRow })))
    }
    return found
  }

  /**
   * A page of the rows that were written after the step that reset the projection. Conditions are checked here, on as
   * many rows at once as a query may return.
   */
  async list(
    projection: string,
    { after: start, prefix = '', where = [], limit }: RowQuery,
    floor: number,
  ): Promise<RowPage> {
    const rows: Row[] = []
    let after = start
    let [characters, lookedAt] = [0, 0]
    while (characters < rowCharactersMax && lookedAt < rowsLookedAtMax) {
      // One row more shows whether there is another page.
      const count = Math.min(where.length > 0 ? pageMax : limit - rows.length, pageMax) + 1
      const portion = await this.#database.findSome<RowDocument>('rows', {
        filter: { projection, ...keysFrom(after, prefix), value: { $exists: true }, at: { $gt: BigInt(floor) } },
        sort: { key: 1 },
        limit: count,
        hint: indexes.byRow,
      })
      for (const { key, value } of this.#checked(portion.documents)) {
        if (rows.length >= limit) return { rows, next: after! }
        after = key
        lookedAt++
        const row = { key, value: this.parse(projection, key, value!) }
        if (!where.every((condition) => isMet(condition, row.value))) continue
        rows.push(row)
        characters += value!.length
      }
      if (portion.isAll && portion.documents.length < count) return { rows }
      if (rows.length >= limit) break
    }
    return { rows, next: after! }
  }

  #checked(documents: readonly RowDocument[]): readonly RowDocument[] {
    for (const document of documents) {
      const where = `the row ${JSON.stringify(document.key)} of ${document.projection}`
      checkFields(document, fields, { store: this.#label, where })
    }
    return documents
  }

  parse(projection: string, key: string, text: string): Json {
    return fromText(text, this.#label, `the row ${JSON.stringify(key)} of ${projection}`)
  }

  /** Deletes rows that were written up to a step, some at a time. */
  async removeUpTo(projection: string, floor: number): Promise<void> {
    for (;;) {
      const old = await this.#database.find<RowDocument>('rows', {
        filter: { projection, at: { $lte: BigInt(floor) } },
        projection: { key: 1 },
        limit: pageMax,
        hint: indexes.byRow,
      })
      if (old.length === 0) return
      const keys = old.map(({ key }) => key)
      await this.#database.remove('rows', [{ projection, key: { $in: keys }, at: { $lte: BigInt(floor) } }])
    }
  }
}

/**
 * The condition for keys after one, and with a prefix. Texts are compared by their bytes, so keys with a prefix are
 * neighbours.
 */
function keysFrom(after: string | undefined, prefix: string): Document {
  const end = successorOf(prefix)
  const bounds = {
    ...(after !== undefined && { $gt: after }),
    ...(prefix !== '' && { $gte: prefix }),
    ...(end !== undefined && { $lt: end }),
  }
  return Object.keys(bounds).length === 0 ? {} : { key: bounds }
}

const codePointMax = 0x10ffff
const surrogates = { first: 0xd800, last: 0xdfff }

/** The first text after all texts with a prefix, or undefined if there is none. */
function successorOf(prefix: string): string | undefined {
  const points = [...prefix]
  while (points.length > 0 && points.at(-1)!.codePointAt(0) === codePointMax) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  const next = last.codePointAt(0)! + 1
  return points.join('') + String.fromCodePoint(next === surrogates.first ? surrogates.last + 1 : next)
}
