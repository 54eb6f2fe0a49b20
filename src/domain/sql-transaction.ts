/** The way to a store's SQL, for those who keep tables of their own beside the log. */

/** What SQL takes and gives. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array | Date

/** The transaction in which a handler's writes and the checkpoint are saved. */
export interface SqlTransaction {
  /**
   * Runs one statement, with values for its parameters in the store's own notation (`?` in SQLite, `$1` in PostgreSQL).
   *
   * @returns its rows as objects; `[]` if it gives none
   */
  query<Found = Record<string, SqlValue>>(text: string, values?: readonly SqlValue[]): Promise<readonly Found[]>
}
