/** The statements that read the second indexes, prepared on a connection, if the file has these indexes. */
import type { DatabaseSync } from 'node:sqlite'
import { hasIndexesTwice } from '../database/schema.ts'
import { prepareAll, type StatementSet } from '../database/statement-set.ts'
import { type TwiceName, twiceIn } from '../database/statements.ts'

export type SecondIndexes = StatementSet<TwiceName> | undefined

export function secondIndexesOf(database: DatabaseSync, prefix: string): SecondIndexes {
  return hasIndexesTwice(database, prefix) ? prepareAll(database, twiceIn(prefix)) : undefined
}
