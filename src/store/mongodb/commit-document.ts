/**
 * How a commit is kept: one document, written once and never changed.
 *
 *     { _id: 41, aggregate: 'account', id: 'ada', from: 7, count: 2, commitId: '...', recordedAt: 1767225600123, format: 1,
 *       types: ['Opened', 'Deposited'], tags: ['gift'],
 *       events: '[{"type":"Opened","data":{"owner":"Ada"}},{"type":"Deposited","data":5,"tags":["gift"]}]' }
 *
 * `_id` is the position of the first event and `from` its sequence, so the commit takes `[_id, _id + count)` of the log. Events are
 * JSON text: BSON has no lone surrogates and nests 100 deep, and what a server makes of keys such as `$set`, `a.b` or the
 * empty one is not the same everywhere. `types` and `tags` repeat those of all events for the indexes.
 */
import { InputError } from '../../domain/error.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { Commit, CommitEvent } from '../commit.ts'
import type { Receipt, StoredEvent } from '../store.ts'
import { fromText } from './json-text.ts'

/** The version of the layout. */
export const formatVersion = 1
/** What a document may have in bytes. MongoDB's own limit is 16 MiB, which also has to hold the command around it. */
export const documentBytesMax = 16_000_000

/** Where a commit stands. Whole numbers are written as `bigint`, which BSON keeps as int64, and read as numbers. */
export interface CommitHeader<Whole = number> {
  readonly _id: Whole
  readonly aggregate: string
  readonly id: string
  readonly from: Whole
  readonly count: number
  readonly commitId: string
}

/** An event within the text; what is usual is left out. */
interface EventText {
  readonly type: string
  /** 1 if left out. */
  readonly revision?: number
  readonly data: Json
  readonly metadata?: JsonObject
  readonly tags?: readonly string[]
}

export interface CommitDocument<Whole = number> extends CommitHeader<Whole> {
  readonly recordedAt: Whole
  readonly format: number
  readonly types: readonly string[]
  /** Left out if there are none. */
  readonly tags?: readonly string[]
  readonly events: string
}

/** The fields of a header, for a projection. */
export const headerFields: Readonly<Record<keyof CommitHeader, 1>> = {
  ...{ _id: 1, aggregate: 1, id: 1, from: 1, count: 1, commitId: 1 },
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

/** A commit that begins at a position and a sequence, as a document. */
export function documentOf(commit: Commit, position: number, from: number): CommitDocument<bigint> {
  const { stream, events, id: commitId, recordedAt } = commit
  const types = distinct(events.map(({ type }) => type))
  const tags = distinct(events.flatMap(({ tags }) => tags))
  return {
    ...{ _id: BigInt(position), aggregate: stream.aggregate, id: stream.id, from: BigInt(from), count: events.length },
    ...{ commitId, recordedAt: BigInt(recordedAt), format: formatVersion, types, ...(tags.length > 0 && { tags }) },
    events: JSON.stringify(events.map(eventTextOf)),
  }
}

function eventTextOf({ type, revision, data, metadata, tags }: CommitEvent): EventText {
  return {
    type,
    ...(revision !== 1 && { revision }),
    data,
    ...(!isEmpty(metadata) && { metadata }),
    ...(tags.length > 0 && { tags }),
  }
}

function isEmpty(record: JsonObject): boolean {
  for (const _ in record) return false
  return true
}

const distinct = (texts: readonly string[]): readonly string[] => (texts.length === 1 ? texts : [...new Set(texts)])

/** The events of a document, in order. @throws StoreError `STORE_CORRUPT` */
export function eventsOf(document: CommitDocument, store: string): readonly StoredEvent[] {
  const { _id, aggregate, id, from, commitId, recordedAt } = document
  const texts = fromText<readonly EventText[]>(document.events, store, `position ${_id}`)
  const stream = { aggregate, id }
  return texts.map(({ type, revision = 1, data, metadata = noMetadata, tags = noTags }, index) => ({
    ...{ stream, type, revision, data, metadata, tags },
    ...{ sequence: from + index, position: _id + index, recordedAt, commitId },
  }))
}

export function receiptOf({ _id, from, count }: CommitHeader): Receipt {
  return { sequence: from + count - 1, position: _id + count - 1, count }
}

/** Bounds of what BSON adds to the texts themselves: names of fields, types, lengths, numbers. */
const bytesOfFields = 256
const bytesOfItem = 24

/** At most so many bytes is a document, and not many fewer. */
export function bytesOf({ aggregate, id, commitId, types, tags = noTags, events }: CommitDocument<bigint>): number {
  let bytes = bytesOfFields + Buffer.byteLength(events)
  for (const text of [aggregate, id, commitId]) bytes += Buffer.byteLength(text)
  for (const text of [...types, ...tags]) bytes += bytesOfItem + Buffer.byteLength(text)
  return bytes
}

/**
 * What a character of a commit's estimate is at most in bytes. The worst are events that are nothing but a type of 1 KB, which
 * the estimate counts as 72 characters and a document holds twice. Commits estimated below need no measuring.
 */
const bytesPerCharacterMax = 40

/** Refuses a commit that does not fit in a document. @throws InputError `COMMIT_TOO_LARGE` */
export function checkBytes(commit: Commit): void {
  if (commit.size * bytesPerCharacterMax <= documentBytesMax) return
  const size = bytesOf(documentOf(commit, 1, 1))
  if (size <= documentBytesMax) return
  const facts = { stream: commit.stream, measure: 'bytes', size, sizeMax: documentBytesMax }
  throw new InputError('COMMIT_TOO_LARGE', facts)
}
