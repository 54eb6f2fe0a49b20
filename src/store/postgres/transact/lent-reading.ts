/**
 * A transaction that only reads, lent to a user who reads tables of their own. It sees one moment. Each statement
 * becomes a cursor, so it can only be one that reads, and its rows come in parts: a result that is too large is noticed
 * before it is in memory. When the time is up, the server is asked to cancel what is running.
 */
import { StoreError } from '../../../domain/error.ts'
import type { SqlStatement, SqlValue } from '../../../domain/sql-statement.ts'
import type { SqlQuery, SqlReading } from '../../../domain/sql-transaction.ts'
import { queryOf, type ReadLimit, ResultCount, tooLarge } from '../../sql-reading.ts'
import { cancelStatement } from '../database/cancel.ts'
import type { Database, Transaction } from '../database/database.ts'
import { isOfStore, sqlFailure, stateOf, storeNamed } from '../database/failure.ts'
import { boundOf, parserOf } from '../database/sql-values.ts'
import type { Settings } from '../options.ts'

export const beginReading = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'

/** The settings give values the form that `sql-values.ts` reads, and plans that are for all rows of a cursor. */
const settings = `SELECT set_config('statement_timeout', $1, true), set_config('cursor_tuple_fraction', '1', true),
  set_config('DateStyle', 'ISO', true), set_config('IntervalStyle', 'postgres', true),
  set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true)`

/** Rows are fetched in parts of about this size. */
const partSize = 4_000_000
const partRowsFirst = 200
const partRowsMax = 10_000

export class LentReading {
  readonly #database: Pick<Database, 'send'>
  readonly #settings: Settings
  readonly #transaction: Transaction
  readonly #limit: ReadLimit
  /** Settles when all statements so far are done. */
  #asked: Promise<unknown> = Promise.resolve()
  #isRunning = false
  #isOver = false

  constructor(database: Pick<Database, 'send'>, settings: Settings, transaction: Transaction, limit: ReadLimit) {
    this.#database = database
    this.#settings = settings
    this.#transaction = transaction
    this.#limit = limit
  }

  /** Lets `work` use it until it settles. @throws the error of the work; what `limit` throws */
  async run<Result>(work: (reading: SqlReading) => Promise<Result>): Promise<Result> {
    const { client } = this.#transaction
    const { timeoutMs } = this.#settings
    this.#limit.onEnd = () => {
      if (this.#isRunning) cancelStatement(client, timeoutMs)
    }
    try {
      await this.#transaction.query(settings, [`${Math.ceil(this.#limit.timeoutMs)}`])
      return await this.#limit.race((async () => work(Object.freeze({ query: this.#queryFunction() })))())
    } finally {
      this.#isOver = true
      await this.#asked
    }
  }

  #queryFunction(): SqlQuery {
    const query = (given: string | SqlStatement<any>, values: readonly SqlValue[] = []) => {
      if (this.#isOver) {
        return Promise.reject(this.#refused(given, 'the read is over; a query must be awaited within the work'))
      }
      const { text, values: taken } = queryOf(given, values, (number) => `$${number}`)
      let bound: readonly unknown[] | StoreError
      try {
        bound = taken.map(boundOf)
      } catch (error) {
        bound = this.#refused(text, error)
      }
      const answer = this.#asked.then(() => this.#query(text, bound))
      // One that nobody waits for changes nothing, because nothing is written.
      this.#asked = answer.catch(() => {})
      return answer
    }
    return query as SqlQuery
  }

  async #query(text: string, values: readonly unknown[] | StoreError): Promise<readonly object[]> {
    if (values instanceof StoreError) throw values
    if (typeof text !== 'string' || text.trim() === '') throw this.#refused(text, 'it is not a statement')
    const rows: object[] = []
    const count = new ResultCount()
    await this.#send(text, `DECLARE mneme_read NO SCROLL CURSOR FOR ${text}`, values)
    for (let size = partRowsFirst; ; ) {
      const part = await this.#send(text, `FETCH ${size} FROM mneme_read`, [])
      for (const row of part) {
        if (!count.add(Object.values(row))) throw tooLarge(storeNamed(this.#settings.schema), text)
        rows.push(row)
      }
      if (part.length < size) break
      size = Math.max(1, Math.min(partRowsMax, Math.floor(partSize / Math.max(count.rowSize, 1))))
    }
    await this.#send(text, 'CLOSE mneme_read', [])
    return rows
  }

  /** @param statement what the user wrote, for errors */
  async #send(statement: string, text: string, values: readonly unknown[]): Promise<readonly object[]> {
    if (this.#limit.isOver) throw this.#refused(statement, 'the read was given up')
    this.#isRunning = true
    try {
      const query = { text, values: [...values], queryMode: 'extended', types: { getTypeParser: parserOf } }
      const patience = Math.max(this.#settings.timeoutMs, this.#limit.timeoutMs)
      const { rows } = await this.#database.send(this.#transaction.client, query, patience)
      return rows
    } catch (error) {
      throw stateOf(error) === undefined || isOfStore(error) ? error : this.#refused(statement, error)
    } finally {
      this.#isRunning = false
    }
  }

  #refused(statement: unknown, because: unknown): StoreError {
    return sqlFailure(this.#settings.schema, statement, because)
  }
}
