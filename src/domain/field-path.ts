/**
 * Fields of rows by their names, such as `total` or `address.city`. A name with dots goes into records. Only fields
 * that the initial row shows can be asked for, because a misspelt name would silently find nothing.
 */
import { DefinitionError } from './error.ts'
import { isPlain } from './json.ts'
import { listOf, nearestOf, refuseOption } from './options.ts'
import type { Personal } from './personal.ts'
import { SealedValue } from './sealed-value.ts'

/** What has no fields to go into. */
type Leaf =
  | string
  | number
  | bigint
  | boolean
  | Date
  | null
  | undefined
  | readonly unknown[]
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Personal<any>

/** The records among the values of a field. */
type Inner<Value> = Exclude<Value, Leaf>
type IsAny<Type> = 0 extends 1 & Type ? true : false
/** How deep names go. */
type DepthMax = 4

/** The names of the fields of a row, also of those within records. */
export type FieldOf<Row, Depth extends readonly 0[] = []> = Depth['length'] extends DepthMax
  ? never
  : IsAny<Row> extends true
    ? string
    : Row extends unknown
      ? {
          [Name in keyof Row & string]:
            | ([Extract<Row[Name], Personal<any>>] extends [never] ? Name : never)
            | ([Inner<Row[Name]>] extends [never] ? never : `${Name}.${FieldOf<Inner<Row[Name]>, [...Depth, 0]>}`)
        }[keyof Row & string]
      : never

/** The values of a field of a row. */
export type ValueOf<Row, Name> =
  IsAny<Row> extends true
    ? any
    : Row extends unknown
      ? Name extends keyof Row
        ? Row[Name]
        : Name extends `${infer First}.${infer Rest}`
          ? First extends keyof Row
            ? ValueOf<Inner<Row[First]>, Rest> | undefined
            : undefined
          : undefined
      : never

export type Direction = 'ascending' | 'descending'

/** A field to order by, ascending if it has no direction. */
export type OrderBy<Row> = FieldOf<Row> | readonly [field: FieldOf<Row>, direction: Direction]

/** A field to order by: 1 is ascending, -1 descending. */
export interface Ordering {
  readonly field: string
  readonly sign: 1 | -1
}

const directions: readonly unknown[] = ['ascending', 'descending']

/** The fields to order by, each with its direction. */
export const orderingOf = (orderBy: readonly OrderBy<any>[]): readonly Ordering[] =>
  orderBy.map((each) => {
    const [field, direction] = typeof each === 'string' ? [each] : each
    return Object.freeze({ field, sign: direction === 'descending' ? -1 : 1 })
  })

/**
 * Refuses what is not a field to order by.
 *
 * @param where where it stands, such as `orderBy`
 * @throws DefinitionError `OPTION_INVALID`
 */
export function checkOrdering(where: string, each: unknown, initial: unknown): void {
  const isPair = Array.isArray(each)
  checkField(where, isPair ? each[0] : each, initial)
  const isGood = !isPair || (each.length === 2 && directions.includes(each[1]))
  if (!isGood) refuseOption(where, "a field, or [field, 'ascending' | 'descending']", each)
}

type Fields = Readonly<Record<string, unknown>>

/** A plain record, also one from another realm. */
export const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && isPlain(value)

/**
 * The value of a field of a row; `undefined` if it has none.
 *
 * @throws DefinitionError `OPTION_INVALID` for a personal field: nothing can be found or ordered by what is encrypted
 */
export function fieldOf(row: unknown, name: string): unknown {
  if (!isRecord(row)) return undefined
  if (Object.hasOwn(row, name)) {
    const value = row[name]
    if (!SealedValue.is(value)) return value
    throw new DefinitionError('OPTION_INVALID', {
      option: name,
      expected: 'a field that is not personal',
      found: value,
    })
  }
  const dot = name.indexOf('.')
  if (dot < 0) return undefined
  const first = name.slice(0, dot)
  return Object.hasOwn(row, first) ? fieldOf(row[first], name.slice(dot + 1)) : undefined
}

/**
 * Refuses a field that the initial row does not show. A record without fields shows nothing, and neither does a field
 * that holds no record at first, so everything within it can be asked for.
 *
 * @param where where the name stands, such as `where`
 * @throws DefinitionError `OPTION_INVALID` with the name that was probably meant
 */
export function checkField(where: string, name: unknown, initial: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw new DefinitionError('OPTION_INVALID', { option: where, expected: 'the name of a field', found: name })
  }
  let within = initial
  let path = ''
  for (let rest = name; isRecord(within); ) {
    const known = Object.keys(within)
    if (known.length === 0 || Object.hasOwn(within, rest)) return
    const dot = rest.indexOf('.')
    const first = dot < 0 ? rest : rest.slice(0, dot)
    if (!Object.hasOwn(within, first)) refuse(where, name, path, first, known)
    if (dot < 0) return
    path += `${first}.`
    within = within[first]
    rest = rest.slice(dot + 1)
  }
}

function refuse(where: string, name: string, path: string, first: string, known: readonly string[]): never {
  const nearest = nearestOf(first, known)
  const names = known.map((each) => path + each)
  const expected = `${listOf(names)}, in ${where}: a field of the initial row (there a field that comes later is undefined)`
  const facts = { option: name, expected, ...(nearest !== undefined && { nearest: path + nearest }) }
  throw new DefinitionError('OPTION_INVALID', facts)
}
