/**
 * A statement of SQL with its values apart from its text, which every store with SQL can run. A value never becomes a
 * part of the text: the store puts its own mark there (`?` in SQLite, `$1` in PostgreSQL), and sends the value beside
 * it. Only other statements, and names that are quoted here, become text. The SQL itself is not translated.
 */
import { InputError } from './error.ts'

/** Marks a statement, also of another copy of the package. Data from outside, such as JSON, cannot have it. */
const mark = Symbol.for('mneme sql statement')

/** The values of parameters and results. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array | Date

/** Made by `sql`. Immutable. */
export interface SqlStatement<Found = Record<string, SqlValue>> {
  /** The pieces of the text. Between two of them belongs a value. */
  readonly parts: readonly string[]
  readonly values: readonly SqlValue[]
  /** Never there: only carries the type of a row. */
  readonly found?: Found
}

/** What may stand in a template: a value, or a statement that becomes a part of this one. */
export type SqlPart = SqlValue | SqlStatement<any>

/** Makes statements. */
export interface SqlTag {
  /**
   * A statement from a template. Its type parameter is the type of a row; it is not checked.
   *
   *     sql<{ amount: number }>`SELECT amount FROM payments WHERE account = ${id}`
   *
   * @throws InputError `SQL_INVALID` if something in it is not a value of SQL
   */
  <Found = Record<string, SqlValue>>(text: TemplateStringsArray, ...parts: readonly SqlPart[]): SqlStatement<Found>
  /**
   * The name of a table or column, in quotes; several are joined with dots. In PostgreSQL a quoted name is
   * case-sensitive.
   *
   * @throws InputError `SQL_INVALID` if it is empty, longer than 63 bytes, or has a zero character
   */
  identifier(...names: readonly [string, ...string[]]): SqlStatement
  /**
   * Values or statements in parentheses, as for `IN`.
   *
   *     sql`SELECT * FROM payments WHERE account IN ${sql.list(ids)}`
   *
   * @throws InputError `SQL_INVALID` if there are none, because SQL has no empty list
   */
  list(parts: readonly SqlPart[]): SqlStatement
}

/** PostgreSQL cuts longer names, and two names would become one. */
const identifierBytesMax = 63

/** Makes statements of SQL as templates: values in them become parameters. */
export const sql: SqlTag = Object.freeze(
  Object.assign(
    (text: TemplateStringsArray, ...parts: readonly SqlPart[]): SqlStatement<any> => {
      if (!Array.isArray(text) || !Array.isArray(text.raw))
        refuse('', 'it is used as a function, not before a template')
      if (text.some((piece) => piece === undefined)) refuse(text.raw.join('?'), 'its text has an unknown escape')
      return joined(text, parts)
    },
    {
      identifier: (...names: readonly string[]) => statement([names.map(quoted).join('.')], []),
      list: (parts: readonly SqlPart[]) => {
        if (!Array.isArray(parts) || parts.length === 0) refuse('()', 'a list needs at least one value')
        return joined(['(', ...Array.from({ length: parts.length - 1 }, () => ', '), ')'], parts)
      },
    },
  ),
)

/** Whether something was made by `sql`. */
export const isSqlStatement = (given: unknown): given is SqlStatement<any> =>
  typeof given === 'object' && given !== null && mark in given

/**
 * The text of a statement in a database's own notation.
 *
 * @param markOf what the database has in place of a value, by its number from 1 on
 */
export const sqlText = ({ parts }: SqlStatement<any>, markOf: (number: number) => string): string =>
  parts.reduce((text, part, i) => `${text}${markOf(i)}${part}`)

/** @param pieces one more than parts */
function joined(pieces: readonly string[], parts: readonly SqlPart[]): SqlStatement {
  const texts = [pieces[0]!]
  const values: SqlValue[] = []
  const append = (text: string) => texts.push(`${texts.pop()!}${text}`)
  parts.forEach((part, i) => {
    if (isSqlStatement(part)) {
      append(part.parts[0]!)
      texts.push(...part.parts.slice(1))
      values.push(...part.values)
    } else {
      values.push(checked(part, i + 1, pieces))
      texts.push('')
    }
    append(pieces[i + 1]!)
  })
  return statement(texts, values)
}

const statement = (parts: readonly string[], values: readonly SqlValue[]): SqlStatement =>
  Object.freeze({ [mark]: true, parts: Object.freeze([...parts]), values: Object.freeze([...values]) })

/** A value that every store with SQL takes. Bytes and dates are copied, because they can be changed. */
function checked(part: unknown, number: number, pieces: readonly string[]): SqlValue {
  const reason = notValue(part)
  if (reason !== undefined) refuse(pieces.join('?'), `its value ${number} is ${reason}, which is not a value of SQL`)
  if (part instanceof Uint8Array) return Uint8Array.from(part)
  return part instanceof Date ? new Date(part) : (part as SqlValue)
}

function notValue(part: unknown): string | undefined {
  switch (typeof part) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isNaN(part) ? 'NaN' : undefined
    case 'bigint':
      return BigInt.asIntN(64, part) === part ? undefined : 'a whole number of more than 64 bits'
    default:
      if (part === null || part instanceof Uint8Array) return undefined
      if (part instanceof Date) return Number.isNaN(part.getTime()) ? 'an invalid date' : undefined
      if (Array.isArray(part)) return 'a list (use sql.list)'
      return part === undefined ? 'undefined (use null)' : `of type ${typeof part}`
  }
}

function quoted(name: unknown): string {
  const isName = typeof name === 'string' && name !== '' && !name.includes('\0') && name.isWellFormed()
  const isShort = isName && new TextEncoder().encode(name).length <= identifierBytesMax
  if (!isShort) refuse(String(name), `a name has 1 to ${identifierBytesMax} bytes, and no zero character`)
  return `"${name.replaceAll('"', '""')}"`
}

function refuse(text: string, reason: string): never {
  throw new InputError('SQL_INVALID', { statement: text, reason })
}
