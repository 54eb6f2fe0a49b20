/**
 * Prevents a caller's transaction from changing the store's own tables. While the transaction is open, SQLite itself
 * records all changes in them (one session for each table), by any statement or trigger. Their definitions are compared
 * if any definition in the file has changed. The check runs once, before anything is saved. If it fails, the whole
 * transaction is undone.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Schema } from '../database/schema.ts'
import { allRows, oneRow, prepareAll, type StatementSet } from '../database/statement-set.ts'

/** The watch during a transaction. */
export interface Watch {
  /** Returns the forbidden change in words for an error, or undefined if there was none. */
  findChange(): string | undefined
  /** Call this before the store writes, and when the transaction is over. A second call does nothing. */
  end(): void
}

export class StoreTables {
  readonly #database: DatabaseSync
  readonly #schema: Schema
  readonly #statements: StatementSet<'version' | 'definitions' | 'passing'>

  constructor(database: DatabaseSync, schema: Schema) {
    this.#database = database
    this.#schema = schema
    const names = schema.objects.map((name) => `'${name}'`).join()
    this.#statements = prepareAll(database, {
      version: 'PRAGMA schema_version',
      definitions: `SELECT type, name, tbl_name, sql FROM sqlite_schema
        WHERE name IN (${names}) OR tbl_name IN (${names}) ORDER BY type, name`,
      passing: 'SELECT name FROM sqlite_temp_schema',
    })
  }

  /** Call this at the beginning of a transaction. */
  watch(): Watch {
    const version = this.#version()
    const definitions = this.#definitions()
    let sessions = this.#schema.tableNames.map((table) => ({ table, session: this.#database.createSession({ table }) }))
    return {
      findChange: () => {
        const changed = sessions.find(({ session }) => session.changeset().length > 0)
        if (changed !== undefined) return `the table ${changed.table} of the store`
        if (this.#version() !== version && this.#definitions() !== definitions)
          return 'the definitions of the tables of the store'
        // Statements of the store would use these instead of its own tables.
        return allRows(this.#statements.passing).length > 0
          ? 'the temporary objects of this connection (TEMP)'
          : undefined
      },
      end: () => {
        for (const { session } of sessions) session.close()
        sessions = []
      },
    }
  }

  #version(): number {
    return oneRow<[number]>(this.#statements.version)![0]
  }

  #definitions(): string {
    return JSON.stringify(allRows(this.#statements.definitions))
  }
}
