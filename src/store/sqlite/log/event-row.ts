/**
 * Rows of the log, and their events. Each row is compared with its checksum, so a damaged row is never returned as an
 * event. Empty metadata and tags are not stored, because most events have none.
 */
import type { Json, JsonObject } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { faultOfShape } from '../../event-shape.ts'
import type { Receipt, StoredEvent } from '../../store.ts'
import { Failure } from '../database/failure.ts'
import { checksumOf, checksumOfStream, checksumOfValues, type EventRow, seedOfStream } from './checksum.ts'

/** The row of a commit's first event, with the data of the whole commit. */
export type CommitRow = readonly [
  ...labels: readonly [number, number, number, number, number, string],
  ...json: readonly [string | null, string | null, string | null],
  stream: number,
  commitSize: number,
  command: string | null,
  commandDigest: number | null,
  commitChecksum: number,
]

/** The end of the log by its table and by its own row, its largest event, and the number of kinds. */
export type LogRow = readonly [last: number | null, head: number, sizeMax: number, kinds: number]

export const noLog: LogRow = [null, -1, 0, 0]

/** The row of a stream, found by its id. */
export type StreamRow = readonly [number: number, sequence: number, checksum: number, sizeMax: number, own: number]

/** The number of a stream, and where it ends. */
export interface StreamPlace {
  readonly number: number
  readonly sequence: number
  readonly checksum: number
  /** The size of its largest event, in characters of JSON. */
  readonly sizeMax: number
}

/** @throws Failure if the row is not as it was stored */
export function placeOfStream(id: StreamId, row: StreamRow): StreamPlace & { readonly seed: number } {
  const [number, sequence, checksum, sizeMax, own] = row
  const place = { seed: seedOfStream(id), number, sequence, checksum, sizeMax }
  if (own === checksumOfStream(place)) return place
  throw damaged(`the stream ${JSON.stringify(id)}`, 'the checksum of its row is wrong')
}

/** A stream, or an event type in a revision, with the value with which its checksums begin. */
export interface KnownStream {
  readonly number: number
  readonly id: StreamId
  readonly seed: number
}
export interface KnownKind {
  readonly type: string
  readonly revision: number
  readonly seed: number
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

/** @throws Failure if the row is not as it was stored */
export function eventOf(row: EventRow, stream: KnownStream, kind: KnownKind): StoredEvent {
  const [position, sequence, , recordedAt, checksum, commitId, data, metadata, tags] = row
  const isWhole =
    typeof commitId === 'string' &&
    typeof data === 'string' &&
    (metadata === null || typeof metadata === 'string') &&
    (tags === null || typeof tags === 'string') &&
    checksum === checksumOf(row, stream, kind)
  if (!isWhole) throw damagedEvent(position, 'its checksum is wrong')
  const noted = metadata === null ? noMetadata : jsonIn<JsonObject>(metadata, position)
  const tagged = tags === null ? noTags : jsonIn<readonly string[]>(tags, position)
  const fault = noted === noMetadata && tagged === noTags ? undefined : faultOfShape(noted, tagged)
  if (fault !== undefined) throw damagedEvent(position, `its checksum is right, but ${fault}`)
  return {
    stream: stream.id,
    type: kind.type,
    revision: kind.revision,
    data: jsonIn<Json>(data, position),
    metadata: noted,
    tags: tagged,
    sequence,
    position,
    recordedAt,
    commitId,
    checksum,
  }
}

/**
 * The data of a whole commit.
 *
 * @throws Failure if the row is damaged
 */
export function commitOf(row: CommitRow): Pick<Receipt, 'count' | 'command'> {
  const [position, , , , first, , , , , , count, command, digest, checksum] = row
  const isWhole = typeof count === 'number' && (command === null || typeof command === 'string')
  if (!isWhole || checksum !== checksumOfValues(first, count, command, digest)) {
    throw damagedEvent(position, 'the checksum of its commit is wrong')
  }
  return command === null || digest === null ? { count } : { count, command: { name: command, digest } }
}

/** The number of characters of JSON in a row. */
export function sizeOf(row: EventRow): number {
  return (row[6]?.length ?? 0) + (row[7]?.length ?? 0) + (row[8]?.length ?? 0)
}

/**
 * A text that fits its checksum, as JSON.
 *
 * @param where a position, or words for another place
 * @throws Failure if it is not JSON: another program has written the text and the checksum
 */
export function jsonIn<Value>(text: string, where: number | string): Value {
  try {
    return JSON.parse(text) as Value
  } catch {
    const reason = 'its checksum is right, but it is not JSON'
    throw typeof where === 'number' ? damagedEvent(where, reason) : damaged(where, reason)
  }
}

export function damaged(where: string, reason: string): Failure {
  return new Failure({ kind: 'damaged', where, reason })
}

export function damagedEvent(position: unknown, reason: string): Failure {
  return new Failure({ kind: 'damaged', where: `the event at position ${position}`, reason })
}

/** The error for a stream that only one of two indexes has. */
export function lostStream(id: StreamId): Failure {
  return damaged(`the stream ${JSON.stringify(id)}`, 'an index lacks it, and another has it')
}

/** The error for a commit that only one of two indexes has, or that an index has under another id. */
export function lostCommit(commitId: string): Failure {
  return damaged(`the commit ${JSON.stringify(commitId)}`, 'an index lacks it, or has another under its id')
}

/** The error for a log whose last event is not the one that was stored last. */
export function damagedEnd(last: unknown, head: unknown): Failure {
  return new Failure({
    kind: 'damaged',
    where: 'the end of the log',
    reason: `it is at ${last ?? 0}, and not at ${head}`,
  })
}
