/**
 * Runs the statements of a caller, in a transaction that writes or only reads: one at a time, complete, and none that
 * would end the transaction or reach outside the file. The first word of a statement says what it is, so a list of
 * first words is enough. Everything else is refused.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { ResultCount } from '../../sql-reading.ts'
import { Failure } from '../database/failure.ts'
import type { Bound, TransactionCalls } from '../database/protocol.ts'
import type { Schema } from '../database/schema.ts'
import { readable } from '../database/sql-values.ts'
import { StatementCache } from '../database/statement-cache.ts'

interface Prepared {
  readonly statement: StatementSync
  /** The number of values that it takes. */
  readonly parameters: number
}

type Query = TransactionCalls['query']['request']
type Answer = TransactionCalls['query']['answer']

const statementsMax = 200
/** Blanks, comments, and the ends of statements. */
const gap = /\s+|;|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y
const word = /[a-z]+/iy

/** The first words of statements that are allowed. On a connection that cannot write, `WITH` cannot either. */
export const readingWords: ReadonlySet<string> = new Set(['SELECT', 'VALUES', 'WITH', 'EXPLAIN'])
export const writingWords: ReadonlySet<string> = new Set([
  ...readingWords,
  ...['INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'ALTER'],
])

export class CallerStatements {
  readonly #database: DatabaseSync
  readonly #schema: Schema
  readonly #allowed: ReadonlySet<string>
  readonly #statements: StatementCache<Prepared>

  constructor(database: DatabaseSync, schema: Schema, allowed: ReadonlySet<string>) {
    this.#database = database
    this.#schema = schema
    this.#allowed = allowed
    this.#statements = new StatementCache(statementsMax, (text) => this.#prepare(text))
  }

  /** @throws Failure, or an error of `node:sqlite` */
  run(request: Query): Answer {
    const statement = this.#ready(request)
    const rows = statement.all(...request.values) as unknown as readonly (readonly Bound[])[]
    return answerOf(statement, rows.flat())
  }

  /** The same for a result that may be too large. @throws Failure, or an error of `node:sqlite` */
  read(request: Query): Answer {
    const statement = this.#ready(request)
    const count = new ResultCount()
    const values: Bound[] = []
    for (const row of statement.iterate(...request.values) as unknown as Iterable<readonly Bound[]>) {
      if (!count.add(row)) throw new Failure({ kind: 'too large', statement: request.text })
      for (const value of row) values.push(value)
    }
    return answerOf(statement, values)
  }

  #ready({ text, values }: Query): StatementSync {
    const { statement, parameters } = this.#statements.get(text)
    // SQLite would use NULL for a missing value, without an error.
    if (parameters > values.length) throw refused(text, `it needs ${parameters} values and got ${values.length}`)
    return statement
  }

  #prepare(text: string): Prepared {
    const verb = verbOf(text)
    if (!this.#allowed.has(verb)) {
      const what = this.#allowed === readingWords ? 'a read' : 'a transaction'
      throw refused(text, `${what} allows only ${[...this.#allowed].join(', ')} statements`)
    }
    // A table that is dropped and made again with the same text would look unchanged.
    if (
      verb === 'DROP' &&
      (text.match(/\w+/g) ?? []).some((name) => this.#schema.objects.includes(name.toLowerCase()))
    ) {
      throw refused(text, 'it drops an object of the store')
    }
    const statement = this.#database.prepare(text)
    if (behindGaps(text, statement.sourceSQL.length) < text.length) throw refused(text, 'it is more than one statement')
    statement.setReturnArrays(true)
    statement.setReadBigInts(true)
    return { statement, parameters: verb === 'EXPLAIN' ? 0 : this.#parametersOf(text) }
  }

  /** The highest number of a parameter that the statement's program reads. */
  #parametersOf(text: string): number {
    const program = this.#database.prepare(`EXPLAIN ${text}`).all()
    const numbers = program.filter(({ opcode }) => opcode === 'Variable').map(({ p1 }) => Number(p1))
    return Math.max(0, ...numbers)
  }
}

const answerOf = (statement: StatementSync, values: readonly Bound[]): Answer =>
  values.length === 0
    ? { columns: [], values }
    : { columns: statement.columns().map(({ name }) => name), values: values.map(readable) }

/** The index of the first character at or after `from` that does not belong to a gap. */
function behindGaps(text: string, from: number): number {
  let at = from
  for (gap.lastIndex = at; gap.test(text); ) at = gap.lastIndex
  return at
}

/** The first word of a statement; empty if there is none. */
function verbOf(text: string): string {
  word.lastIndex = behindGaps(text, 0)
  return word.exec(text)?.[0].toUpperCase() ?? ''
}

function refused(statement: string, reason: string): Failure {
  return new Failure({ kind: 'sql', statement, reason })
}
