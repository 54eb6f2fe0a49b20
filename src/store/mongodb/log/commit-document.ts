/**
 * The form of a stored commit: one document, written once and never changed.
 *
 *     { _id: 41, aggregate: 'account', id: 'ada', from: 7, count: 2, number: 38, previous: 3523407757, commitId: '...',
 *       recordedAt: 1767225600123, format: 2, command: { name: 'deposit', digest: 8123 }, sum: 907060870, checksum: 21346912,
 *       types: ['Opened', 'Deposited'], tags: ['gift'],
 *       events: '[{"type":"Opened","data":{"owner":"Ada"}},{"type":"Deposited","data":5,"tags":["gift"]}]' }
 *
 * `_id` is the position of the first event and `from` its sequence, so the commit has the positions `[_id, _id +
 * count)`. It is the `number`-th commit of the log, after the one with the checksum `previous`, so each checksum covers
 * everything before it. Events are JSON text, because BSON has no lone surrogates and nests only 100 deep, and servers
 * treat keys such as `$set`, `a.b` or the empty key differently. `types` and `tags` repeat those of all events for the
 * indexes.
 *
 * `sum` is a CRC-32 of the events, the types and the tags. `checksum` is one of everything else and of `sum`. A
 * document is therefore checked at every read, even if its events are left out. This finds accidents; it is no defence
 * against a person who changes documents on purpose.
 */

import { crc32 } from 'node:zlib'
import { InputError, StoreError } from '../../../domain/error.ts'
import type { Json, JsonObject } from '../../../domain/json.ts'
import type { CommandMark, Commit, CommitEvent } from '../../commit.ts'
import { faultOfShape } from '../../event-shape.ts'
import type { Receipt, StoredEvent } from '../../store.ts'
import { formatVersion } from '../database/indexes.ts'
import { fromText } from '../database/json-text.ts'

/**
 * The greatest size of a document in bytes. MongoDB's own limit is 16 MiB, which also has to hold the command around
 * it.
 */
export const documentBytesMax = 16_000_000

/**
 * A commit without its events. Whole numbers are written as `bigint`, which BSON stores as int64, and read as numbers.
 */
export interface CommitHeader<Whole = number> {
  readonly _id: Whole
  readonly aggregate: string
  readonly id: string
  readonly from: Whole
  readonly count: number
  /** Commits are counted from 1. */
  readonly number: Whole
  /** The checksum of the commit before it in the log; 0 for the first. */
  readonly previous: Whole
  readonly commitId: string
  readonly recordedAt: Whole
  readonly format: number
  /** Absent if the commit was made for no command. */
  readonly command?: { readonly name: string; readonly digest: Whole }
  /** The checksum of the parts that the header lacks. */
  readonly sum: Whole
  readonly checksum: Whole
}

/** An event in the text. Usual values are left out. */
interface EventText {
  readonly type: string
  /** 1 if absent. */
  readonly revision?: number
  readonly data: Json
  readonly metadata?: JsonObject
  readonly tags?: readonly string[]
}

/** The content of a commit, without its place. */
export interface CommitContent {
  readonly types: readonly string[]
  /** Absent if there are none. */
  readonly tags?: readonly string[]
  readonly events: string
}

export interface CommitDocument<Whole = number> extends CommitHeader<Whole>, CommitContent {}

/** The fields of a header, for a projection. */
export const headerFields: Readonly<Record<keyof CommitHeader, 1>> = {
  _id: 1,
  aggregate: 1,
  id: 1,
  from: 1,
  count: 1,
  number: 1,
  previous: 1,
  commitId: 1,
  recordedAt: 1,
  format: 1,
  command: 1,
  sum: 1,
  checksum: 1,
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

/** The place of a commit. */
export type CommitPlace = Pick<CommitHeader, 'from' | 'number' | 'previous'> & { readonly position: number }

/** A commit in its written form, without its place. */
export class WrittenCommit {
  readonly commit: Commit
  readonly content: CommitContent
  readonly #sum: number

  constructor(commit: Commit) {
    const types = distinct(commit.events.map(({ type }) => type))
    const tags = distinct(commit.events.flatMap((event) => event.tags))
    const events = JSON.stringify(commit.events.map(eventTextOf))
    this.commit = commit
    this.content = { types, ...(tags.length > 0 && { tags }), events }
    this.#sum = sumOf(this.content)
  }

  headerAt({ position, from, number, previous }: CommitPlace): CommitHeader {
    const { stream, events, id: commitId, recordedAt, command } = this.commit
    const header = {
      _id: position,
      aggregate: stream.aggregate,
      id: stream.id,
      from,
      count: events.length,
      number,
      previous,
      commitId,
      recordedAt,
      format: formatVersion,
      ...(command && { command }),
      sum: this.#sum,
    }
    return { ...header, checksum: checksumOf(header) }
  }
}

/** The document of a commit at its place. */
export function documentOf(header: CommitHeader, content: CommitContent): CommitDocument<bigint> {
  const { command, ...rest } = header
  return {
    ...rest,
    _id: BigInt(header._id),
    from: BigInt(header.from),
    recordedAt: BigInt(header.recordedAt),
    number: BigInt(header.number),
    previous: BigInt(header.previous),
    ...(command && { command: { name: command.name, digest: BigInt(command.digest) } }),
    sum: BigInt(header.sum),
    checksum: BigInt(header.checksum),
    ...content,
  }
}

const sumOf = ({ types, tags = noTags, events }: CommitContent): number =>
  crc32(JSON.stringify([types, tags]), crc32(events))

function checksumOf(header: Omit<CommitHeader, 'checksum'>): number {
  const { _id, aggregate, id, from, count, number, previous, commitId, recordedAt, format, command, sum } = header
  const mark = command ? [command.name, command.digest] : null
  const place = [_id, aggregate, id, from, count, number, previous]
  return crc32(JSON.stringify([...place, commitId, recordedAt, format, mark, sum]))
}

/** Checks headers from a server. @throws StoreError `STORE_CORRUPT` if one is damaged */
export function checkHeaders<Header extends CommitHeader>(
  headers: readonly Header[],
  store: string,
): readonly Header[] {
  for (const header of headers) {
    if (checksumOf(header) !== header.checksum) throw damaged(header, store, 'its checksum is wrong')
  }
  return headers
}

const damaged = ({ _id }: Pick<CommitHeader, '_id'>, store: string, reason: string): StoreError =>
  new StoreError('STORE_CORRUPT', { store, where: `the commit at position ${_id}`, reason })

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

/** The events of a document whose header was checked, in order. @throws StoreError `STORE_CORRUPT` */
export function eventsOf(document: CommitDocument, store: string): readonly StoredEvent[] {
  const { _id, aggregate, id, from, count, commitId, recordedAt, checksum, events } = document
  if (typeof events !== 'string' || sumOf(document) !== document.sum) {
    throw damaged(document, store, 'the checksum of its events is wrong')
  }
  const texts = fromText<readonly EventText[]>(events, store, `the commit at position ${_id}`)
  if (texts.length !== count) throw damaged(document, store, `it has ${texts.length} events of ${count}`)
  const stream = { aggregate, id }
  return texts.map(({ type, revision = 1, data, metadata = noMetadata, tags = noTags }, index) => {
    const fault = metadata === noMetadata && tags === noTags ? undefined : faultOfShape(metadata, tags)
    if (fault !== undefined) throw damaged(document, store, `its checksum is right, but of an event ${fault}`)
    return {
      stream,
      type,
      revision,
      data,
      metadata,
      tags,
      sequence: from + index,
      position: _id + index,
      recordedAt,
      commitId,
      checksum,
    }
  })
}

export function receiptOf({ _id, from, count, checksum, command }: CommitHeader): Receipt {
  const mark: CommandMark | undefined = command && { name: command.name, digest: command.digest }
  return { sequence: from + count - 1, position: _id + count - 1, count, checksum, ...(mark && { command: mark }) }
}

/** The greatest size of what BSON adds to the texts: names of fields, types, lengths, numbers. */
const bytesOfFields = 320
const bytesOfItem = 24

/** An upper bound for the bytes of a commit's document, close to its size. */
export function bytesOf({ commit, content }: WrittenCommit): number {
  const { stream, id, command } = commit
  const { types, tags = noTags, events } = content
  let bytes = bytesOfFields + Buffer.byteLength(events)
  for (const text of [stream.aggregate, stream.id, id, command?.name ?? '']) bytes += Buffer.byteLength(text)
  for (const text of [...types, ...tags]) bytes += bytesOfItem + Buffer.byteLength(text)
  return bytes
}

/**
 * The greatest number of bytes for a character of a commit's estimated size. The worst events are only a type of 1 KB,
 * which the estimate counts as 72 characters and a document stores twice. Commits with a small estimate need no
 * measuring.
 */
const bytesPerCharacterMax = 40

/** Refuses a commit that does not fit in a document. @throws InputError `COMMIT_TOO_LARGE` */
export function checkBytes(commit: Commit): void {
  if (commit.size * bytesPerCharacterMax <= documentBytesMax) return
  const size = bytesOf(new WrittenCommit(commit))
  if (size <= documentBytesMax) return
  const facts = { stream: commit.stream, measure: 'bytes', size, sizeMax: documentBytesMax }
  throw new InputError('COMMIT_TOO_LARGE', facts)
}
