/**
 * What a handler gets of a transaction in a simulated store, as the stores with SQL lend theirs: statements run in the
 * order in which they are asked for, those that nobody awaits are done before the end, and one that fails makes the
 * whole transaction fail, as in PostgreSQL.
 */

import { StoreError } from '../../domain/error.ts'
import type { SqlStatement, SqlValue } from '../../domain/sql-statement.ts'
import type { SqlQuery, SqlReading } from '../../domain/sql-transaction.ts'
import { isOfStore } from '../../projection/failures/blame.ts'
import { queryOf } from '../../store/sql-reading.ts'
import type { Store } from '../../store/store.ts'
import type { SqlRow } from './simulated-tables.ts'

type Work = Parameters<NonNullable<Store['transact']>>[2]

/** The way to an open transaction. */
export interface Borrowed {
  readonly name: string
  /** Rejects when the transaction is ended from outside. */
  readonly ended: Promise<never>
  query(text: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]>
  /** Undoes it, or ends a reading. */
  end(): void
}

/** Lets some work use a transaction, and saves what it returns. @throws what the work throws; StoreError */
export async function lend(
  work: Work,
  borrowed: Borrowed,
  save: (step: Awaited<ReturnType<Work>>) => Promise<void>,
): Promise<void> {
  const statements = new Statements(borrowed)
  try {
    await save(await statements.during(work))
  } catch (error) {
    borrowed.end()
    throw error
  }
}

/** Lets some work read. @throws what the work throws; StoreError */
export async function lendReading<Result>(
  work: (reading: SqlReading) => Promise<Result>,
  borrowed: Borrowed,
): Promise<Result> {
  try {
    return await new Statements(borrowed).during(work)
  } finally {
    borrowed.end()
  }
}

class Statements {
  readonly #borrowed: Borrowed
  #asked: Promise<unknown> = Promise.resolve()
  #failure: unknown
  #isOver = false

  constructor(borrowed: Borrowed) {
    this.#borrowed = borrowed
  }

  /** The result of some work, when all that it has asked for is done. */
  async during<Result>(work: (transaction: { readonly query: SqlQuery }) => Promise<Result>): Promise<Result> {
    const { ended } = this.#borrowed
    const query: SqlQuery = (given, values) => this.#query(given, values)
    try {
      const result = await Promise.race([(async () => work(Object.freeze({ query })))(), ended])
      this.#isOver = true
      await Promise.race([this.#asked, ended])
      if (this.#failure !== undefined) throw this.#failure
      return result
    } catch (error) {
      this.#isOver = true
      // A failure of the store is the store's, even if the work catches it.
      throw isOfStore(this.#failure) ? this.#failure : error
    }
  }

  #query(given: string | SqlStatement<any>, values: readonly SqlValue[] = []): Promise<any> {
    const { name } = this.#borrowed
    const { text, values: found } = queryOf(given, values, () => '?')
    const taken = [...found]
    if (this.#isOver) {
      const reason = 'the transaction is over'
      return Promise.reject(new StoreError('SQL_FAILED', { store: name, statement: text, reason }))
    }
    const answer = this.#asked.then(() => this.#borrowed.query(text, taken))
    this.#asked = answer.catch((error) => {
      this.#failure ??= error
    })
    return answer
  }
}
