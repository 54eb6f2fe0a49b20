/** Reads what is kept beside the log, on the caller's thread: snapshots, checkpoints, and rows by their keys. */
import type { DatabaseSync } from 'node:sqlite'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import { noCheckpoint } from '../checkpoint.ts'
import type { Checkpoint, Snapshot } from '../store.ts'
import { oneRow, prepareAll, type StatementSet } from './statement-set.ts'
import { type ReadingName, readingIn } from './statements.ts'

export class DocumentReader {
  readonly #statements: StatementSet<ReadingName>

  constructor(database: DatabaseSync, prefix: string) {
    this.#statements = prepareAll(database, readingIn(prefix))
  }

  loadSnapshot(stream: StreamId, atOrBefore: number): Snapshot | undefined {
    const bound = Math.min(atOrBefore, Number.MAX_SAFE_INTEGER)
    const { aggregate, id } = stream
    const row = oneRow<[number, number, number, string, number, string]>(
      this.#statements.snapshot,
      aggregate,
      id,
      bound,
    )
    if (row === undefined) return undefined
    const [sequence, stateRevision, checksum, fingerprint, takenAt, state] = row
    return { stream, sequence, stateRevision, checksum, fingerprint, takenAt, state: JSON.parse(state) as Json }
  }

  loadCheckpoint(projection: string): Checkpoint {
    const row = oneRow<[number, number, string]>(this.#statements.checkpoint, projection)
    if (row === undefined) return noCheckpoint
    const [position, term, note] = row
    return { position, term, note: JSON.parse(note) as JsonObject }
  }

  loadRows(projection: string, keys: readonly string[]): readonly (Json | undefined)[] {
    return keys.map((key) => {
      const row = oneRow<[string]>(this.#statements.row, projection, key)
      return row && (JSON.parse(row[0]) as Json)
    })
  }
}
