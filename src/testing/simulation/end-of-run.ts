/** The end of a run, as a user's invariants see it. */
import type { RecordedEvent } from '../../domain/event.ts'
import { type SqlStatement, type SqlValue, sqlText } from '../../domain/sql-statement.ts'
import { recordedEvent } from '../../kernel/rehydrate.ts'
import { Broken, type Evidence } from './checks.ts'
import type { SimulatedTables } from './simulated-tables.ts'
import type { Version } from './version.ts'

/** The end of a run, as an invariant of the user's sees it. */
export interface EndOfRun {
  /** The whole log, as subscriptions give it. */
  readonly events: readonly RecordedEvent[]
  /** The states of an aggregate, by id, named by its key in the domain. */
  states(aggregate: string): ReadonlyMap<string, any>
  /** The rows of a projection, by key. */
  rows(projection: string): ReadonlyMap<string, any>
  /**
   * What a statement finds in the tables that handlers have written. SQLite runs it, whichever store is simulated.
   *
   * @throws StoreError `SQL_FAILED`
   */
  query<Found = Record<string, SqlValue>>(statement: SqlStatement<Found>): readonly Found[]
}

/** By names for the reader. One is broken if it returns `false` or a promise, or throws. */
export type Invariants = Readonly<Record<string, (end: EndOfRun) => unknown>>

/** The rows of each projection at the end, by its key in the domain, then by their own. */
export type RowsOfAll = ReadonlyMap<string, ReadonlyMap<string, unknown>>

/** What handlers have made. */
interface Made {
  readonly rows: RowsOfAll
  readonly tables: SimulatedTables
}

/** @throws Broken if one does not hold */
export function checkInvariants(
  invariants: Invariants,
  version: Version,
  evidence: Evidence,
  { rows, tables }: Made,
): void {
  const { witness } = evidence
  const end: EndOfRun = {
    events: witness.events.map((event) => recordedEvent(version.aggregate(event.stream.aggregate)?.folds, event)),
    states: (key) => {
      const { name } = named(version.domain.aggregates, key, 'aggregate')
      const streams = witness.log.streams.filter(({ aggregate }) => aggregate === name)
      return new Map(streams.map((stream) => [stream.id, evidence.states(version, stream, witness.era).at(-1)]))
    },
    rows: (key) => named(Object.fromEntries(rows), key, 'projection with rows'),
    query: (statement) => find(tables, statement),
  }
  for (const [name, holds] of Object.entries(invariants)) {
    let result: unknown
    try {
      result = holds(end)
    } catch (error) {
      throw new Broken(name, error instanceof Error ? error.message : String(error), error)
    }
    if (result === false) throw new Broken(name, 'it does not hold at the end of the run')
    if (typeof (result as PromiseLike<unknown> | null | undefined)?.then === 'function') {
      // Nobody else hears of its failure.
      void Promise.resolve(result).catch(() => {})
      throw new Broken(name, 'it returns a promise, so nothing is known yet: an invariant must answer at once')
    }
  }
}

/** @throws Error that names what there is */
function named<Value>(all: Readonly<Record<string, Value>>, key: string, what: string): Value {
  if (Object.hasOwn(all, key)) return all[key]!
  throw new Error(`The domain has no ${what} ${JSON.stringify(key)}; it has ${Object.keys(all).join(', ') || 'none'}`)
}

function find(tables: SimulatedTables, statement: SqlStatement<any>): readonly any[] {
  const reading = tables.reading()
  try {
    return reading.query(
      sqlText(statement, () => '?'),
      statement.values,
    )
  } finally {
    reading.close()
  }
}
