/**
 * Pages of a projection's rows, on the caller's thread. SQLite compares keys by the bytes of their UTF-8, which is the
 * order of code points. In that order keys with the same beginning are neighbours, so a prefix is a range of the
 * primary key. SQLite's JSON functions test the conditions, on a bounded number of rows at a time so that the event
 * loop can turn.
 *
 * A test may let too many rows through, because conditions are hints. It must never leave out a row that meets them. A
 * wanted value therefore goes through the same JSON parser as the row's value, and bounds are a little wider than
 * requested.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SharedBreath } from '../../../runtime/breath.ts'
import { rowCharactersMax, rowsLookedAtMax } from '../../row-page.ts'
import type { Condition, Row, RowPage, RowQuery } from '../../store.ts'
import { codes, isCode } from '../database/failure.ts'
import { StatementCache } from '../database/statement-cache.ts'
import { allRows } from '../database/statement-set.ts'
import { type RowTest, rowSizesText, rowsText } from '../database/statements.ts'
import { rowValueOf, type ValueRow } from './checked-rows.ts'

/** A condition in the form for SQLite. */
interface Test {
  readonly kind: RowTest
  readonly values: readonly (string | number)[]
}

/** Where a read begins: at a key, or after it. */
interface Start {
  readonly key: string
  readonly behind: boolean
}

/** Neighbouring rows that are looked at together. */
interface Slice {
  /** The key of the last row, if there is any. */
  readonly last: string | undefined
  readonly count: number
  readonly bytes: number
  /** Whether no row comes after them. */
  readonly isLast: boolean
}

/**
 * The bounds of rows that are tested or read before the event loop may turn: their number, or their bytes (exceeded by
 * one row).
 */
const sliceRows = 1000
const sliceBytesMax = 1_000_000
const statementsMax = 50
/** It sorts after every text, because SQLite sorts bytes after texts. */
const behindAllTexts = new Uint8Array(0)
const codePointLast = 0x10ffff
/** Names of fields that are unchanged in JSON. Others would have to be escaped in a path. */
const plainField = /^[^"\\\p{Cc}\p{Surrogate}]+$/u

export class RowPages {
  readonly #statements: StatementCache<StatementSync>
  readonly #prefix: string
  readonly #breath: SharedBreath

  constructor(database: DatabaseSync, prefix: string, breath: SharedBreath) {
    this.#prefix = prefix
    this.#breath = breath
    this.#statements = new StatementCache(statementsMax, (text) => {
      const statement = database.prepare(text)
      statement.setReturnArrays(true)
      return statement
    })
  }

  async list(projection: string, { after, prefix = '', where = [], limit }: RowQuery): Promise<RowPage> {
    const end = endOf(prefix)
    const rows: Row[] = []
    let tests = where.flatMap((condition) => testOf(condition) ?? [])
    let start = startOf(prefix, after)
    let [lookedAt, bytes] = [0, 0]
    for (;;) {
      const wanted = Math.min(limit - rows.length, sliceRows)
      const slice = this.#slice(projection, start, end, tests.length > 0 ? sliceRows : wanted)
      if (slice.last === undefined) return { rows }
      // One row more shows whether there is another page.
      const found = this.#read(projection, start, slice.last, tests, wanted + 1)
      if (found === undefined) {
        tests = []
        continue
      }
      for (const [key, ...value] of found.slice(0, wanted)) {
        rows.push({ key, value: rowValueOf(projection, key, value) })
      }
      if (found.length > wanted) return { rows, next: rows.at(-1)!.key }
      if (slice.isLast) return { rows }
      lookedAt += slice.count
      bytes += slice.bytes
      if (rows.length >= limit || lookedAt >= rowsLookedAtMax || bytes >= rowCharactersMax) {
        return { rows, next: slice.last }
      }
      start = { key: slice.last, behind: true }
      if (this.#breath.isDue) await this.#breath.pause()
    }
  }

  /** The next few rows, with bounds for their number and bytes. */
  #slice(projection: string, { key, behind }: Start, end: string | Uint8Array, countMax: number): Slice {
    const statement = this.#statements.get(rowSizesText(this.#prefix, behind))
    const sizes = allRows<[key: string, bytes: number]>(statement, projection, key, end, countMax)
    let [count, bytes] = [0, 0]
    while (count < sizes.length && bytes < sliceBytesMax) bytes += sizes[count++]![1]
    return { last: sizes[count - 1]?.[0], count, bytes, isLast: count === sizes.length && count < countMax }
  }

  /** @returns undefined if the rows cannot be tested; a text that is not JSON is found when it is parsed */
  #read(
    projection: string,
    { key, behind }: Start,
    last: string,
    tests: readonly Test[],
    limit: number,
  ): readonly (readonly [string, ...ValueRow])[] | undefined {
    const statement = this.#statements.get(
      rowsText(
        this.#prefix,
        behind,
        tests.map(({ kind }) => kind),
      ),
    )
    const values = tests.flatMap((test) => test.values)
    try {
      return allRows<readonly [string, ...ValueRow]>(statement, projection, key, last, ...values, limit)
    } catch (error) {
      if (tests.length > 0 && isCode(error, codes.error)) return undefined
      throw error
    }
  }
}

/** The first value after every text with the prefix: a text, or the bytes after all texts. */
export function endOf(prefix: string): string | Uint8Array {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!)
  while (points.at(-1) === codePointLast) points.pop()
  const last = points.pop()
  if (last === undefined) return behindAllTexts
  // Surrogates are not code points of a text.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
}

function startOf(prefix: string, after: string | undefined): Start {
  if (after === undefined || Buffer.compare(Buffer.from(after), Buffer.from(prefix)) < 0) {
    return { key: prefix, behind: false }
  }
  return { key: after, behind: true }
}

function testOf(condition: Condition): Test | undefined {
  const { field } = condition
  if (!plainField.test(field)) return undefined
  const path = `$."${field}"`
  if ('oneOf' in condition) return { kind: 'oneOf', values: [path, JSON.stringify(condition.oneOf)] }
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = condition
  return { kind: 'bounds', values: [path, widened(least, -1), widened(most, 1), path] }
}

/**
 * A bound moved outwards. SQLite's reading of a fraction may be wrong in the last place, and this is more than that.
 */
function widened(bound: number, sign: 1 | -1): number {
  return Number.isFinite(bound) ? bound + sign * (Math.abs(bound) * 2 ** -40 + 1e-300) : bound
}
