/** The statements that read the second indexes, prepared on a connection, if the file has these indexes. */
import type { DatabaseSync } from 'node:sqlite'
import { hasIndexesTwice } from '../database/schema.ts'
import { prepareAll, type StatementSet } from '../database/statement-set.ts'
import { type TwiceName, twiceIn } from '../database/statements.ts'

export type SecondIndexStatements = StatementSet<TwiceName> | undefined

export function secondIndexStatementsOf(database: DatabaseSync, prefix: string): SecondIndexStatements {
  return hasIndexesTwice(database, prefix) ? prepareAll(database, twiceIn(prefix)) : undefined
}
