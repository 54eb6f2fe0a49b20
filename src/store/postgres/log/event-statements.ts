/**
 * The statements that read the log: pages through the functions of `read-functions.ts`, and small questions as plain
 * SQL.
 */
import { checksumIn, commitIn, headIn, pageCall, type Search, searches } from '../database/read-functions.ts'

export interface EventStatements {
  /** The calls for pages, by kind of search. */
  readonly forward: Readonly<Record<Search, string>>
  readonly backward: Readonly<Record<Search, string>>
  readonly head: string
  /** The checksum of the event at a position. */
  readonly checksum: string
  /** The number of events from one position to before another. */
  readonly count: string
  readonly commit: string
  /** The same, answered when the visible events of the stream are as durable as the database promises. */
  readonly durableCommit: string
  /** The names of the standbys that commits wait for; empty if there are none. */
  readonly standbys: string
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
    standbys: "SELECT current_setting('synchronous_standby_names')",
    kinds: `SELECT k.number, k.aggregate, k.type FROM ${schema}.kinds k`,
  }
}
