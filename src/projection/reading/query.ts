/** The queries of `find` and `count`: their types, and the refusal of invalid ones before anything is read. */
import {
  checkField,
  checkOrdering,
  type FieldOf,
  fieldOf,
  isRecord,
  type OrderBy,
  type ValueOf,
} from '../../domain/field-path.ts'
import { checkKeys, checkOption, listExpected, refuseOption } from '../../domain/options.ts'

import { checkWanted } from './find-operators.ts'

/** A comparison with values. Values of one kind compare with each other: texts by code point, dates by time. */
interface ValueComparison<Value> {
  readonly gt?: Value
  readonly gte?: Value
  readonly lt?: Value
  readonly lte?: Value
  readonly not?: Value
  readonly in?: readonly Value[]
}

interface TextComparison {
  /** Texts that begin with this text. */
  readonly startsWith?: string
  /** Texts that have this text somewhere in them. */
  readonly includes?: string
}

/** A comparison of a field. What it says of parts of a text is only for fields that may be texts. */
export type Comparison<Value> = ValueComparison<Value> &
  ([Extract<Value, string>] extends [never] ? unknown : TextComparison)

type Simple = string | number | bigint | boolean | Date

/**
 * What a field may be equal to. A record is allowed only if the field is never simple, because otherwise it could be a
 * misspelt comparison.
 */
type Equal<Value> = [Extract<Value, Simple>] extends [never] ? Value : WithoutRecords<Value>
type WithoutRecords<Value> = Value extends
  | Simple
  | null
  | undefined
  | readonly unknown[]
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  ? Value
  : never

/**
 * Fields of a row, each with the value that it must have or a comparison. All must hold. `address.city` is a field of a
 * record in a row. If a field may be a record or something simple, write `{ in: [record] }` for a record.
 */
export type Where<Row> = {
  readonly [Name in FieldOf<Row>]?: Equal<ValueOf<Row, Name>> | Comparison<Exclude<ValueOf<Row, Name>, undefined>>
}

/** Which rows are meant. */
export interface Filter<Row> {
  readonly where?: Where<Row>
  /** At least one of these must hold too. */
  readonly or?: readonly Where<Row>[]
}

export interface Query<Row> extends Filter<Row> {
  /**
   * The fields to order by, the first one first. A row without a value comes before all values. Rows that are equal in
   * all of them are ordered by their keys, in the direction of the last field. By default the keys decide alone.
   */
  readonly orderBy?: readonly OrderBy<Row>[]
  /** The greatest number of rows, 100 by default. */
  readonly limit?: number
  /** The `next` of an earlier answer with the same `orderBy`: only rows after those. */
  readonly after?: string | undefined
}

/** A row with its key. */
export interface Found<Row> {
  readonly key: string
  readonly row: Row
}

/** Some rows in order. */
export interface FoundPage<Row> {
  readonly rows: readonly Found<Row>[]
  /** Where the next page begins, for `after`. `undefined` if there are no more rows. */
  readonly next: string | undefined
}

/** A row of any projection. */
export type AnyRow = Readonly<Record<string, unknown>>

/**
 * Refuses an invalid query.
 *
 * @param initial the row before its first event, which shows which fields there are, and which are simple
 * @throws DefinitionError `OPTION_INVALID`
 */
export function checkQuery(query: Query<AnyRow>, initial: unknown): void {
  checkKeys('find(query)', query, ['where', 'or', 'orderBy', 'limit', 'after'])
  const { orderBy, limit, after } = query
  checkFilterParts(query, initial)
  checkOption('orderBy', orderBy, Array.isArray, listExpected(orderBy, 'fields'))
  for (const each of orderBy ?? []) checkOrdering('orderBy', each, initial)
  const isLimit = (found: unknown) => found === Infinity || (Number.isSafeInteger(found) && (found as number) >= 0)
  checkOption('limit', limit, isLimit, 'a whole number from 0')
  checkOption('after', after, (found) => typeof found === 'string', 'the `next` of an earlier answer')
}

/** @throws DefinitionError `OPTION_INVALID` */
export function checkFilter(filter: Filter<AnyRow>, initial: unknown): void {
  checkKeys('count(filter)', filter, ['where', 'or'])
  checkFilterParts(filter, initial)
}

function checkFilterParts({ where, or }: Filter<AnyRow>, initial: unknown): void {
  if (where !== undefined) checkWhere('where', where, initial)
  checkOption('or', or, Array.isArray, 'a list of records of fields')
  for (const [i, each] of (or ?? []).entries()) checkWhere(`or[${i}]`, each, initial)
}

function checkWhere(name: string, where: unknown, initial: unknown): void {
  if (!isRecord(where)) refuseOption(name, 'a record of fields', where)
  for (const [field, wanted] of Object.entries(where)) {
    checkField(name, field, initial)
    checkWanted(`${name}.${field}`, wanted, fieldOf(initial, field))
  }
}
