/** Access to the SQL of a store, for tables of a user's own beside the log. */
import type { SqlStatement, SqlValue } from './sql-statement.ts'

/**
 * Runs one statement: made by `sql`, which every store with SQL can run, or a text in the notation of the database with
 * its values (`?` in SQLite, `$1` in PostgreSQL). Gives the rows of the result as objects; `[]` if there are none.
 *
 *     await query(sql`SELECT account, amount FROM payments WHERE account = ${id}`)
 */
export type SqlQuery = <Found = Record<string, SqlValue>>(
  statement: string | SqlStatement<Found>,
  values?: readonly SqlValue[],
) => Promise<readonly Found[]>

/** The transaction in which a handler's writes and the checkpoint are saved. */
export interface SqlTransaction {
  readonly query: SqlQuery
}

/** Statements that read. All see the same moment of the database. */
export interface SqlReading {
  readonly query: SqlQuery
}

/** How long a reading may take. */
export interface SqlReadingOptions {
  /** From the call on, in milliseconds. */
  readonly timeoutMs: number
  /** Ends it with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Bounds of the result of a statement that reads, on every store: its rows, and roughly their characters and bytes. */
export const sqlRowsMax = 100_000
export const sqlSizeMax = 64_000_000
