/** Reads the data beside the log, on the caller's thread: snapshots, checkpoints, and rows by their keys. */
import type { DatabaseSync } from 'node:sqlite'
import type { Json } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import type { SharedBreath } from '../../../runtime/breath.ts'
import type { Checkpoint, RowsWithCheckpoint, Snapshot } from '../../store.ts'
import { inTransaction } from '../database/in-transaction.ts'
import { oneRow, prepareAll, type StatementSet } from '../database/statement-set.ts'
import { type ReadingName, readingIn } from '../database/statements.ts'
import {
  type CheckpointRow,
  checkpointOf,
  rowValueOf,
  type SnapshotRow,
  snapshotOf,
  type ValueRow,
} from './checked-rows.ts'

/** The number of keys between two looks at the clock. */
const keysBetween = 100

export class RowReader {
  readonly #database: DatabaseSync
  readonly #statements: StatementSet<ReadingName>
  readonly #breath: SharedBreath

  constructor(database: DatabaseSync, prefix: string, breath: SharedBreath) {
    this.#database = database
    this.#statements = prepareAll(database, readingIn(prefix))
    this.#breath = breath
  }

  loadSnapshot(stream: StreamId, atOrBefore: number): Snapshot | undefined {
    const bound = Math.min(atOrBefore, Number.MAX_SAFE_INTEGER)
    const row = oneRow<SnapshotRow>(this.#statements.snapshot, stream.aggregate, stream.id, bound)
    return row && snapshotOf(stream, row)
  }

  loadCheckpoint(projection: string): Checkpoint {
    return checkpointOf(projection, oneRow<CheckpointRow>(this.#statements.checkpoint, projection))
  }

  async loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    const values: (Json | undefined)[] = []
    for (const key of keys) {
      const row = oneRow<ValueRow>(this.#statements.row, projection, key)
      values.push(row && rowValueOf(projection, key, row))
      if (values.length % keysBetween === 0 && this.#breath.isDue) await this.#breath.pause()
    }
    return values
  }

  async loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    const { checkpoint, rows } = inTransaction(this.#database, () => ({
      checkpoint: this.loadCheckpoint(projection),
      rows: keys.map((key) => oneRow<ValueRow>(this.#statements.row, projection, key)),
    }))
    const values: (Json | undefined)[] = []
    for (const [i, row] of rows.entries()) {
      values.push(row && rowValueOf(projection, keys[i]!, row))
      if (values.length % keysBetween === 0 && this.#breath.isDue) await this.#breath.pause()
    }
    return { checkpoint, values }
  }
}
