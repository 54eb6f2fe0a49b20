/**
 * The transaction of a step, lent to the work of a projection that keeps tables of its own in the same database.
 * Statements are done in the order in which they were asked for, and those that nobody has awaited are done before the
 * end. In PostgreSQL a statement that fails makes the whole transaction fail, unless it goes back to a savepoint.
 *
 * The work cannot end the transaction by itself: a statement is one statement, and not one of those. What fails is the
 * work's failure, at its statements and at the end, unless it is known to be the store's; and then it is the store's,
 * whatever the work makes of it.
 */
import { StoreError } from '../../../domain/error.ts'
import type { ProjectionStep, SqlTransaction, SqlValue } from '../../store.ts'
import type { Database } from '../database/database.ts'
import type { PostgresClient } from '../database/driver.ts'
import { errorOf, isOfStore, isTooLong, Lost, sqlFailure, stateOf, storeNamed } from '../database/failure.ts'
import { boundOf, parserOf } from '../database/sql-values.ts'
import type { Settings } from '../options.ts'

/** What the work threw, on its way to the caller as it is. */
export class WorkThrew extends Error {
  readonly thrown: unknown

  constructor(thrown: unknown) {
    super('the work of a step threw')
    this.thrown = thrown
  }
}

type Work = (transaction: SqlTransaction) => Promise<Omit<ProjectionStep, 'from'>>

/** Statements that would end the transaction, or begin another. Going back to a savepoint does not. */
const ending =
  /^(?:\s|--[^\n]*\n?|\/\*[\s\S]*?\*\/|;)*(?:commit|end|abort|begin|start\s+transaction|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))(?![\w$])/i

export class LentTransaction {
  readonly #database: Pick<Database, 'send'>
  readonly #schema: string
  readonly #timeoutMs: number
  readonly #client: PostgresClient
  readonly #lost = Promise.withResolvers<never>()
  /** Settles when all statements that were asked for are done. */
  #asked: Promise<unknown> = Promise.resolve()
  /** The first statement that failed, and whether it never reached the transaction. */
  #failure: { readonly error: unknown; readonly isUnknownToServer: boolean } | undefined
  /** What made the transaction fail that is not the work's. */
  #ofStore: unknown
  /** What ended the connection. */
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
   * Lets work use the transaction until it settles, and then saves what it returns.
   *
   * @throws WorkThrew; StoreError `SQL_FAILED` if a statement failed and the work did not let it through;
   *   what ended the transaction from outside
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

  /** The failure of a statement behind the work's own: what the work has done shows there. */
  failureOf(statement: string, error: unknown): unknown {
    return stateOf(error) === undefined || isOfStore(error) ? error : sqlFailure(this.#schema, statement, error)
  }

  async #work(work: Work): Promise<Omit<ProjectionStep, 'from'>> {
    try {
      const query: SqlTransaction['query'] = (text, values = []) => {
        if (this.#isOver) return Promise.reject(sqlFailure(this.#schema, text, 'the transaction is over'))
        const taken = this.#taken(text, values)
        const answer = this.#asked.then(() => this.#query(text, taken))
        this.#asked = answer.catch(() => {})
        return answer as Promise<any>
      }
      return await Promise.race([(async () => work(Object.freeze({ query })))(), this.#lost.promise])
    } catch (error) {
      throw new WorkThrew(error)
    } finally {
      this.#isOver = true
      await this.#asked
    }
  }

  /** The values as they are when they are given, or why the statement is refused. */
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
      if (typeof text !== 'string' || text.trim() === '') throw refused('it is no statement')
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

  /** What ended the transaction from outside, as an error of the catalogue. */
  #known(error: unknown): unknown {
    if (!isTooLong(error)) return errorOf(this.#schema, 'saving a step', error)
    const facts = { store: storeNamed(this.#schema), transactionMsMax: this.#timeoutMs }
    return new StoreError('TRANSACTION_TOO_LONG', facts, error)
  }
}
