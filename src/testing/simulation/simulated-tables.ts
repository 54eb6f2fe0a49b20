/**
 * The tables of users in a simulated store with SQL: a database of SQLite in memory. One transaction at a time writes
 * to it, as in SQLite. In PostgreSQL those of two projections may overlap, which is left out. A reading has a copy.
 */
import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../../domain/error.ts'
import type { SqlValue } from '../../domain/sql-statement.ts'
import { tooLarge } from '../../store/sql-reading.ts'
import { factsOfStatement } from '../../store/sqlite/database/failure.ts'
import type { Bound } from '../../store/sqlite/database/protocol.ts'
import { schemaIn } from '../../store/sqlite/database/schema.ts'
import { boundOf, rowsOf } from '../../store/sqlite/database/sql-values.ts'
import { CallerStatements, readingWords, writingWords } from '../../store/sqlite/transact/caller-statements.ts'

export type SqlRow = Readonly<Record<string, Bound>>

/** A statement that was run. */
export interface RunStatement {
  readonly text: string
  readonly values: readonly Bound[]
}

export class SimulatedTables {
  readonly name: string
  /** All that was saved. */
  readonly #saved: RunStatement[] = []
  #database: DatabaseSync | undefined
  #statements: CallerStatements | undefined
  #open: Transaction | undefined
  readonly #waiting: (() => void)[] = []

  constructor(name: string) {
    this.name = name
  }

  /** Begins a transaction when it is its turn. */
  async begin(projection: string, owner: object): Promise<Transaction> {
    while (this.#open !== undefined) await this.#next()
    const transaction = new Transaction(this, projection, owner)
    this.#open = transaction
    this.#connect().exec('BEGIN')
    return transaction
  }

  /** Whether a transaction of a projection is open. */
  isLocked(projection: string): boolean {
    return this.#open?.projection === projection
  }

  /** Waits until no transaction of a projection is open. */
  async unlocked(projection: string): Promise<void> {
    while (this.isLocked(projection)) await this.#next()
  }

  /** Whether somebody has a transaction. */
  isUsedBy(owner: object): boolean {
    return this.#open?.owner === owner
  }

  /** Ends the transaction of somebody. */
  endOf(owner: object): void {
    if (this.isUsedBy(owner)) this.#open!.end()
  }

  /** The tables as they are now. */
  reading(): Reading {
    return new Reading(this.name, this.#saved)
  }

  /** Goes back to other tables: those that some statements make. */
  restore(statements: readonly RunStatement[]): void {
    this.#open?.end()
    this.#database?.close()
    this.#database = undefined
    this.#saved.length = 0
    for (const statement of statements) this.run(statement)
    this.#saved.push(...statements)
  }

  /** @throws StoreError `SQL_FAILED` */
  run(statement: RunStatement): readonly SqlRow[] {
    this.#connect()
    return answered(this.name, statement, () => this.#statements!.run(statement))
  }

  /** Ends a transaction. @param saved what it has written, if that is kept */
  close(transaction: Transaction, saved?: readonly RunStatement[]): void {
    if (this.#open !== transaction) return
    this.#open = undefined
    if (this.#database?.isTransaction) this.#database.exec(saved === undefined ? 'ROLLBACK' : 'COMMIT')
    this.#saved.push(...(saved ?? []))
    for (const go of this.#waiting.splice(0)) go()
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  #connect(): DatabaseSync {
    if (this.#database !== undefined) return this.#database
    this.#database = newDatabase()
    this.#statements = new CallerStatements(this.#database, schema(), writingWords)
    return this.#database
  }
}

/** What a step writes to tables of users. */
export class Transaction {
  readonly projection: string
  /** Who uses it. */
  readonly owner: object
  /** What it has written so far. */
  readonly statements: RunStatement[] = []
  readonly #tables: SimulatedTables
  #isOver = false
  #endedBy: StoreError | undefined
  /** Called when it is ended from outside. */
  onEnded: (error: StoreError) => void = () => {}

  constructor(tables: SimulatedTables, projection: string, owner: object) {
    this.#tables = tables
    this.projection = projection
    this.owner = owner
  }

  /** @throws StoreError `SQL_FAILED`, or what ended it */
  query(text: string, values: readonly SqlValue[]): readonly SqlRow[] {
    this.#check(text)
    const statement = statementOf(this.#tables.name, text, values)
    const rows = this.#tables.run(statement)
    this.statements.push(statement)
    return rows
  }

  /** Saves what it has written together with something else. @throws what the saving throws; then nothing is saved */
  async save(saving: () => Promise<void>): Promise<void> {
    this.#check('COMMIT')
    try {
      await saving()
    } catch (error) {
      this.end()
      throw error
    }
    this.#isOver = true
    this.#tables.close(this, this.statements)
  }

  /** Undoes it, if it is not over. @param because why it is ended from outside */
  end(because?: StoreError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#endedBy = because
    this.#tables.close(this)
    if (because !== undefined) this.onEnded(because)
  }

  #check(text: string): void {
    if (this.#endedBy !== undefined) throw this.#endedBy
    if (this.#isOver) throw sqlFailed(this.#tables.name, text, 'the transaction is over')
  }
}

/** A copy of the tables, which nobody changes. */
export class Reading {
  readonly #name: string
  readonly #database: DatabaseSync = newDatabase()
  readonly #statements: CallerStatements

  constructor(name: string, statements: readonly RunStatement[]) {
    this.#name = name
    const writing = new CallerStatements(this.#database, schema(), writingWords)
    for (const statement of statements) writing.run(statement)
    this.#database.exec('PRAGMA query_only = ON')
    this.#statements = new CallerStatements(this.#database, schema(), readingWords)
  }

  /** @throws StoreError `SQL_FAILED`, `RESULT_TOO_LARGE` */
  query(text: string, values: readonly SqlValue[]): readonly SqlRow[] {
    const statement = statementOf(this.#name, text, values)
    return answered(this.#name, statement, () => this.#statements.read(statement))
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close()
  }
}

function newDatabase(): DatabaseSync {
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite')
  return new Database(':memory:')
}

let ownSchema: ReturnType<typeof schemaIn> | undefined
const schema = (): ReturnType<typeof schemaIn> => {
  ownSchema ??= schemaIn('mneme_')
  return ownSchema
}

/** A statement in the notation of either database. @throws StoreError `SQL_FAILED` */
function statementOf(store: string, text: string, values: readonly SqlValue[]): RunStatement {
  try {
    if (!/\$\d/.test(text)) return { text, values: values.map(boundOf) }
    const order: number[] = []
    const marked = text.replace(/\$(\d+)/g, (_, number) => {
      order.push(Number(number) - 1)
      return '?'
    })
    return { text: marked, values: order.map((at) => boundOf(values[at]!)) }
  } catch (error) {
    throw sqlFailed(store, text, (error as Error).message)
  }
}

/** @throws StoreError `SQL_FAILED`, `RESULT_TOO_LARGE` */
function answered(store: string, { text }: RunStatement, run: () => Parameters<typeof rowsOf>[0]): readonly SqlRow[] {
  try {
    return rowsOf(run())
  } catch (error) {
    const facts = factsOfStatement(error, text)
    if (facts.kind === 'too large') throw tooLarge(store, text)
    throw sqlFailed(store, text, 'reason' in facts ? facts.reason : facts.kind)
  }
}

const sqlFailed = (store: string, statement: string, reason: string): StoreError =>
  new StoreError('SQL_FAILED', { store, statement, reason })
