/**
 * The transaction of a step, lent to the work of a projection that has tables of its own in the same database.
 * Statements run in the order in which they are asked for. Statements that are not awaited are done before the end. In
 * PostgreSQL a statement that fails makes the whole transaction fail, unless it goes back to a savepoint.
 *
 * The work cannot end the transaction itself: each call is one statement, and a statement that ends a transaction is
 * refused. A failure at a statement or at the end is the work's, unless it is known to come from the store. Then it is
 * the store's, even if the work catches it.
 */
import { StoreError } from '../../../domain/error.ts'
import type { SqlStatement } from '../../../domain/sql-statement.ts'
import { queryOf } from '../../sql-reading.ts'
import type { ProjectionStep, SqlTransaction, SqlValue } from '../../store.ts'
import type { Database } from '../database/database.ts'
import type { PostgresClient } from '../database/driver.ts'
import { errorOf, isOfStore, isTooLong, Lost, sqlFailure, stateOf, storeNamed } from '../database/failure.ts'
import { boundOf, parserOf } from '../database/sql-values.ts'
import type { Settings } from '../options.ts'

/** Carries the error of the work to the caller, who gets it unchanged. */
export class WorkThrew extends Error {
  readonly thrown: unknown

  constructor(thrown: unknown) {
    super('the work of a step threw')
    this.thrown = thrown
  }
}

type Work = (transaction: SqlTransaction) => Promise<Omit<ProjectionStep, 'from'>>

/** Statements that would end the transaction or begin another one. Going back to a savepoint does not. */
const ending =
  /^(?:\s|--[^\n]*\n?|\/\*[\s\S]*?\*\/|;)*(?:commit|end|abort|begin|start\s+transaction|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))(?![\w$])/i

export class LentTransaction {
  readonly #database: Pick<Database, 'send'>
  readonly #schema: string
  readonly #timeoutMs: number
  readonly #client: PostgresClient
  readonly #lost = Promise.withResolvers<never>()
  /** Settles when all statements so far are done. */
  #asked: Promise<unknown> = Promise.resolve()
  /** The first failure of a statement, and whether the statement never reached the transaction. */
  #failure: { readonly error: unknown; readonly isUnknownToServer: boolean } | undefined
  /** The failure of the store, if there was one. */
  #ofStore: unknown
  /** The error that ended the connection. */
  #ended: unknown
  #isOver = false

  constructor(database: Pick<Database, 'send'>, { schema, timeoutMs }: Settings, client: PostgresClient) {
    this.#database = database
    this.#schema = schema
    this.#timeoutMs = timeoutMs
    this.#client = client
    this.#lost.promise.catch(() => {})
  }

  /**
   * Lets `work` use the transaction until it settles, and then saves what it returns.
   *
   * @throws WorkThrew; StoreError `SQL_FAILED` if a statement failed and the work caught it; the error that ended the
   *   transaction from outside
   */
  async run(work: Work, save: (step: Omit<ProjectionStep, 'from'>) => Promise<void>): Promise<void> {
    const onLost = (error: Error) => {
      this.#ended ??= stateOf(error) === undefined ? new Lost(error) : error
      this.#lost.reject(this.#known(this.#ended))
    }
    this.#client.on('error', onLost)
    try {
      const step = await this.#work(work)
      if (this.#failure?.isUnknownToServer) throw this.#failure.error
      try {
        await save(step)
      } catch (error) {
        throw this.#failure === undefined ? this.failureOf('saving the step', error) : this.#failure.error
      }
    } catch (error) {
      throw this.#ofStore ?? error
    } finally {
      this.#client.off('error', onLost)
    }
  }

  /** The error of a statement that the store runs after the work. It may come from what the work has done. */
  failureOf(statement: string, error: unknown): unknown {
    return stateOf(error) === undefined || isOfStore(error) ? error : sqlFailure(this.#schema, statement, error)
  }

  async #work(work: Work): Promise<Omit<ProjectionStep, 'from'>> {
    try {
      const query = (given: string | SqlStatement<any>, values: readonly SqlValue[] = []): Promise<any> => {
        const { text, values: found } = queryOf(given, values, (number) => `$${number}`)
        if (this.#isOver) return Promise.reject(sqlFailure(this.#schema, text, 'the transaction is over'))
        const taken = this.#taken(text, found)
        const answer = this.#asked.then(() => this.#query(text, taken))
        this.#asked = answer.catch(() => {})
        return answer
      }
      return await Promise.race([(async () => work(Object.freeze({ query })))(), this.#lost.promise])
    } catch (error) {
      throw new WorkThrew(error)
    } finally {
      this.#isOver = true
      await this.#asked
    }
  }

  /** A copy of the values at the time of the call, or the error with which the statement is refused. */
  #taken(text: string, values: readonly SqlValue[]): readonly unknown[] | StoreError {
    try {
      return values.map(boundOf)
    } catch (error) {
      return sqlFailure(this.#schema, text, error)
    }
  }

  async #query(text: string, values: readonly unknown[] | StoreError): Promise<readonly unknown[]> {
    const refused = (because: unknown) => sqlFailure(this.#schema, text, because)
    try {
      if (values instanceof StoreError) throw values
      if (typeof text !== 'string' || text.trim() === '') throw refused('it is not a statement')
      if (ending.test(text)) throw refused('only the store ends a transaction; use savepoints')
      const query = { text, values: [...values], queryMode: 'extended', types: { getTypeParser: parserOf } }
      const { rows } = await this.#database.send(this.#client, query)
      return rows
    } catch (error) {
      const known = isOfStore(error) || isTooLong(error) ? this.#known(this.#ended ?? error) : error
      const failure = stateOf(known) === undefined ? known : refused(known)
      if (isOfStore(error) && !isTooLong(this.#ended)) this.#ofStore ??= failure
      this.#failure ??= { error: failure, isUnknownToServer: stateOf(error) === undefined }
      throw failure
    }
  }

  /** The error that ended the transaction from outside, as an error of the catalogue. */
  #known(error: unknown): unknown {
    if (!isTooLong(error)) return errorOf(this.#schema, 'saving a step', error)
    const facts = { store: storeNamed(this.#schema), transactionMsMax: this.#timeoutMs }
    return new StoreError('TRANSACTION_TOO_LONG', facts, error)
  }
}
