/** Access to the SQL of a store, for handlers that write their own tables beside the log. */

/** The values of parameters and results. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array | Date

/** The transaction in which a handler's writes and the checkpoint are saved. */
export interface SqlTransaction {
  /**
   * Runs one statement. Its parameters have the notation of the database: `?` in SQLite, `$1` in PostgreSQL.
   *
   * @returns the rows of the result as objects; `[]` if there are none
   */
  query<Found = Record<string, SqlValue>>(text: string, values?: readonly SqlValue[]): Promise<readonly Found[]>
}
