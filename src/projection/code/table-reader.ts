/** Reads the tables of a projection as code with SQL, at once or after its runner has handled a position. */
import { ProjectionError } from '../../domain/error.ts'
import { isSqlStatement, type SqlStatement } from '../../domain/sql-statement.ts'
import type { SqlReading } from '../../domain/sql-transaction.ts'
import type { Store } from '../../store/store.ts'
import type { Runner } from '../running/runner.ts'
import type { WaitOptions } from '../running/status.ts'

/** What to wait for, and how long. */
export interface ReadTablesOptions extends WaitOptions {
  /** How long the read may take then, in milliseconds: 10,000 by default. After that `READ_TOO_LONG` is thrown. */
  readonly readTimeoutMs?: number
}

const readTimeoutMsDefault = 10_000

export class TableReader {
  readonly #projection: string
  readonly #store: Pick<Store, 'name' | 'readSql'>
  readonly #runner: Runner

  constructor(projection: string, store: Pick<Store, 'name' | 'readSql'>, runner: Runner) {
    this.#projection = projection
    this.#store = store
    this.#runner = runner
  }

  /** @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED` */
  reached(wait: WaitOptions): Promise<void> {
    return this.#runner.reached(wait)
  }

  /**
   * @throws ProjectionError `SQL_MISSING`, `PROJECTION_BEHIND`, `PROJECTION_FAILED`; StoreError; the error of the work;
   *   the signal's reason
   */
  async read(
    what: SqlStatement<any> | ((reading: SqlReading) => Promise<unknown>),
    { readTimeoutMs: timeoutMs = readTimeoutMsDefault, ...wait }: ReadTablesOptions,
  ): Promise<unknown> {
    const store = this.#store
    if (store.readSql === undefined) {
      throw new ProjectionError('SQL_MISSING', { projection: this.#projection, store: store.name })
    }
    await this.#runner.reached(wait)
    const { signal } = wait
    const work = isSqlStatement(what) ? ({ query }: SqlReading) => query(what) : what
    return store.readSql(work, { timeoutMs, ...(signal !== undefined && { signal }) })
  }
}
