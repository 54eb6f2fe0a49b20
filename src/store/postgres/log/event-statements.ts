/**
 * The statements that read the log: pages by the functions of `read-functions.ts`, and what is small enough to be asked
 * as it is.
 */
import { checksumIn, commitIn, headIn, pageCall, type Search, searches } from '../database/read-functions.ts'

export interface EventStatements {
  /** By what is looked for. */
  readonly forward: Readonly<Record<Search, string>>
  readonly backward: Readonly<Record<Search, string>>
  readonly head: string
  /** The checksum of the event at a position. */
  readonly checksum: string
  /** How many events there are from one position up to before another. */
  readonly count: string
  readonly commit: string
  /** The same, answered when all that is visible of its stream is as durable as the database promises. */
  readonly durableCommit: string
  readonly kinds: string
}

/** The statements for a schema. @param schema quoted */
export function eventStatements(schema: string): EventStatements {
  const calls = (backward: boolean): Readonly<Record<Search, string>> => {
    const named = searches.map((search) => [search, pageCall(schema, search, backward)])
    return Object.fromEntries(named) as Record<Search, string>
  }
  return {
    forward: calls(false),
    backward: calls(true),
    head: `SELECT ${headIn(schema)}`,
    checksum: `SELECT ${headIn(schema)}, (${checksumIn(schema, '$1')})`,
    count: `SELECT count(*) FROM ${schema}.events c WHERE c.position >= $1 AND c.position < $2`,
    commit: commitIn(schema, '$1', '$2', '$3'),
    durableCommit: `SELECT * FROM ${schema}.durable_commit($1, $2, $3, $4, $5)`,
    kinds: `SELECT k.number, k.aggregate, k.type FROM ${schema}.kinds k`,
  }
}
