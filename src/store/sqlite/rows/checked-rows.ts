/** Rows of the data beside the log, compared with their checksums. */
import type { Json, JsonObject } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { noCheckpoint } from '../../checkpoint.ts'
import type { Checkpoint, Snapshot } from '../../store.ts'
import { checksumOfValues } from '../log/checksum.ts'
import { damaged, jsonIn } from '../log/event-row.ts'

export type CheckpointRow = readonly [position: number, term: number, note: string, checksum: number]
export type ValueRow = readonly [value: string, checksum: number]
export type SnapshotRow = readonly [
  sequence: number,
  stateRevision: number,
  eventChecksum: number,
  fingerprint: string,
  takenAt: number,
  state: string,
  checksum: number,
]

/** @throws Failure if it is not as it was stored */
export function checkpointOf(projection: string, row: CheckpointRow | undefined): Checkpoint {
  if (row === undefined) return noCheckpoint
  const [position, term, note, checksum] = row
  if (checksum === checksumOfValues(projection, position, term, note)) {
    return { position, term, note: jsonIn<JsonObject>(note, `the checkpoint of ${projection}`) }
  }
  throw damaged(`the checkpoint of ${projection}`, 'its checksum is wrong')
}

/** @throws Failure if it is not as it was stored */
export function rowValueOf(projection: string, key: string, [value, checksum]: ValueRow): Json {
  const where = `the row ${key} of ${projection}`
  if (checksum === checksumOfValues(projection, key, value)) return jsonIn<Json>(value, where)
  throw damaged(where, 'its checksum is wrong')
}

/** @throws Failure if it is not as it was stored */
export function snapshotOf(stream: StreamId, row: SnapshotRow): Snapshot {
  const [sequence, stateRevision, checksum, fingerprint, takenAt, state, own] = row
  const { aggregate, id } = stream
  const where = `a snapshot of ${JSON.stringify(stream)}`
  if (own !== checksumOfValues(aggregate, id, sequence, stateRevision, checksum, fingerprint, takenAt, state)) {
    throw damaged(where, 'its checksum is wrong')
  }
  return { stream, sequence, stateRevision, checksum, fingerprint, takenAt, state: jsonIn<Json>(state, where) }
}
