/** The statements that read the log: pages by the functions of `read-functions.ts`, and what is small enough to be asked as it is. */
import { headIn, pageCall, type Search, searches } from './read-functions.ts'

export interface EventStatements {
  /** By what is looked for. */
  readonly forward: Readonly<Record<Search, string>>
  readonly backward: Readonly<Record<Search, string>>
  readonly head: string
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
  const commit = (lock: string) => `SELECT e.sequence, e.position, e.commit_size FROM ${schema}.events e
    WHERE e.stream = (SELECT s.number FROM ${schema}.streams s WHERE s.aggregate = $1 AND s.id = $2 ${lock})
    AND e.commit_id = $3 AND e.commit_size IS NOT NULL`
  return {
    forward: calls(false),
    backward: calls(true),
    head: `SELECT ${headIn(schema)}`,
    commit: commit(''),
    // Who has locked a row is a transaction that is to be committed, behind all that were before it.
    durableCommit: commit('FOR SHARE'),
    kinds: `SELECT k.number, k.aggregate, k.type FROM ${schema}.kinds k`,
  }
}
