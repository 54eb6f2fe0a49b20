/** Statements prepared on one connection, by name. Rows come as lists: half the cost of objects. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

export type StatementSet<Name extends string> = { readonly [Key in Name]: StatementSync }

export function prepareAll<Name extends string>(
  database: DatabaseSync,
  texts: { readonly [Key in Name]: string },
): StatementSet<Name> {
  const prepared = {} as { [Key in Name]: StatementSync }
  for (const name of Object.keys(texts) as Name[]) {
    prepared[name] = database.prepare(texts[name])
    prepared[name].setReturnArrays(true)
  }
  return prepared
}

/** The rows of a query, as lists of columns. The caller knows their types, because the tables are STRICT. */
export function allRows<Row extends readonly unknown[]>(
  statement: StatementSync,
  ...values: readonly (string | number | Uint8Array)[]
): readonly Row[] {
  return statement.all(...values) as unknown as readonly Row[]
}

/** The first row of a query. */
export function oneRow<Row extends readonly unknown[]>(
  statement: StatementSync,
  ...values: readonly (string | number | Uint8Array)[]
): Row | undefined {
  return statement.get(...values) as unknown as Row | undefined
}

/** Runs a statement that returns no row. `run` would make an object that says what has changed. */
export function execute(statement: StatementSync, ...values: readonly (string | number | null)[]): void {
  statement.get(...values)
}
