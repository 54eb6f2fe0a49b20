/** Reads what is kept beside the log, on the caller's thread: snapshots, checkpoints, and rows by their keys. */
import type { DatabaseSync } from 'node:sqlite'
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Snapshot } from '../store.ts'
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
    const row = oneRow<[number, number, number, string]>(this.#statements.snapshot, aggregate, id, bound)
    if (row === undefined) return undefined
    const [sequence, stateRevision, takenAt, state] = row
    return { stream, sequence, stateRevision, takenAt, state: JSON.parse(state) as Json }
  }

  loadCheckpoint(projection: string): number {
    return oneRow<[number]>(this.#statements.checkpoint, projection)?.[0] ?? 0
  }

  loadRows(projection: string, keys: readonly string[]): readonly (Json | undefined)[] {
    return keys.map((key) => {
      const row = oneRow<[string]>(this.#statements.row, projection, key)
      return row && (JSON.parse(row[0]) as Json)
    })
  }
}
