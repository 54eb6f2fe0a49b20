/** How the projections of a running domain are read: rows, a state, or tables of their own. */
import type { CodeProjection } from '../domain/code-projection.ts'
import type { Projection } from '../domain/projection.ts'
import type { SqlStatement } from '../domain/sql-statement.ts'
import type { SqlReading } from '../domain/sql-transaction.ts'
import type { ReadTablesOptions } from '../projection/code/table-reader.ts'
import type { Filter, FoundPage, Query } from '../projection/reading/query.ts'
import type { WaitOptions } from '../projection/running/status.ts'

/** How a projection is read: rows by key, one state, or code. */
export type ReadModel<P> =
  P extends Projection<string, infer Row, any, infer Shape>
    ? Shape extends 'state'
      ? StateModel<Row>
      : RowsModel<Row>
    : P extends CodeProjection<string, any>
      ? CodeModel
      : never

/** A projection as code. Its tables are read with SQL. */
export interface CodeModel {
  /**
   * Reads the tables with one statement, which sees one moment of the database. Nothing can be written. It does not
   * block the event loop.
   *
   *     const rows = await bank.payments.read(sql<{ amount: number }>`SELECT amount FROM payments WHERE account = ${id}`, {
   *       atLeast: outcome.position, // your own write is in the rows
   *     })
   *
   * @throws ProjectionError `SQL_MISSING` if the store has no SQL, `PROJECTION_BEHIND`, `PROJECTION_FAILED`; StoreError
   *   `SQL_FAILED`, `READ_TOO_LONG`, `RESULT_TOO_LARGE`; the signal's reason
   */
  read<Found>(statement: SqlStatement<Found>, options?: ReadTablesOptions): Promise<readonly Found[]>
  /**
   * Reads with several statements, which all see the same moment. Await them within the function.
   *
   *     const page = await bank.payments.read(async ({ query }) => ({ rows: await query(some), total: await query(count) }))
   *
   * @throws the error of the function, and as above
   */
  read<Result>(work: (reading: SqlReading) => Promise<Result>, options?: ReadTablesOptions): Promise<Result>
  /**
   * Waits until it has handled a position. Then your own write is in the tables.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED`
   */
  reached(wait: WaitOptions): Promise<void>
}

/** A projection with one state. */
export interface StateModel<State> {
  /**
   * The state; before the first event the initial state. With `atLeast` it first waits until the projection has handled
   * that position.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED`
   */
  state(wait?: WaitOptions): Promise<State>
}

/** A projection with rows. */
export interface RowsModel<Row> {
  /**
   * The row with this key, if there is one. With `atLeast` it first waits until the projection has handled that
   * position.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED`
   */
  get(key: string, wait?: WaitOptions): Promise<Row | undefined>
  /**
   * Finds rows by their fields, and returns a page of them with their keys, in an order. The store leaves out rows
   * where it can. Without `where`, all rows of the projection are read.
   *
   *     const { rows, next } = await bank.balances.find({
   *       where: { balance: { gte: 100 } },
   *       orderBy: [['balance', 'descending'], 'owner'],
   *       limit: 10,
   *     })
   *
   * `next` is the cursor of the next page, for `after`.
   *
   * @throws DefinitionError `OPTION_INVALID`; ProjectionError as `get`
   */
  find(query?: Query<Row>, wait?: WaitOptions): Promise<FoundPage<Row>>
  /** The number of rows. @throws as `find` */
  count(filter?: Filter<Row>, wait?: WaitOptions): Promise<number>
}
