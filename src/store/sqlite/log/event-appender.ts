/**
 * Appends commits, on the writer's thread, inside a transaction that the caller begins and ends. It remembers how far
 * streams are, so that the usual commit is one insert for each event and no query. It forgets that when another
 * connection has changed the database (`PRAGMA data_version`, asked inside the transaction, when no other process can
 * change it), and after every rollback. The ends of streams and of the log are written once for each transaction.
 *
 * A repeated commit id is found by the unique index: the first event of a commit has the id, and is refused before the
 * commit has written anything.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { StreamId } from '../../../domain/stream.ts'
import type { Expected } from '../../commit.ts'
import { isMet } from '../../expectation.ts'
import type { StoredEvent } from '../../store.ts'
import { codeOf, codes, Failure } from '../database/failure.ts'
import { type Calls, type Flat, itemsPerCommit, itemsPerEvent, statusNumbers } from '../database/protocol.ts'
import { execute, oneRow, prepareAll, type StatementSet } from '../database/statement-set.ts'
import type { WritingName } from '../database/statements.ts'
import type { EventRow } from './checksum.ts'
import { checksumOf, checksumOfStream, checksumOfValues, seedOfKind, seedOfStream } from './checksum.ts'
import {
  type CommitRow,
  commitOf,
  damagedEnd,
  damagedEvent,
  eventOf,
  type KnownKind,
  type KnownStream,
  type LogRow,
  lostCommit,
  lostStream,
  noLog,
  placeOfStream,
  type StreamRow,
} from './event-row.ts'
import type { Appending, ReservationBook } from './reservation-book.ts'
import { type SecondIndexStatements, secondIndexStatementsOf } from './second-index-statements.ts'

/** What is known of a stream. */
interface Stream extends KnownStream {
  sequence: number
  checksum: number
  sizeMax: number
  /** Whether its row is not written yet, or has changed. */
  state: 'new' | 'changed' | 'saved'
}

interface Kind extends KnownKind {
  readonly number: number
}

/** A commit within the flat list. */
interface PackedCommit {
  readonly expected: Expected
  readonly commitId: string
  readonly recordedAt: number
  readonly count: number
  readonly command: string | null
  readonly digest: number | null
  /** Where its events begin. */
  readonly at: number
}

interface PackedEvent {
  readonly kind: Kind
  readonly data: string
  readonly metadata: string | null
  readonly tags: string | null
}

/** The streams where a commit of the current caller was not stored, and the answers. */
interface Batch {
  readonly broken: Set<Stream>
  readonly answer: (string | number | null)[]
  readonly appending: Appending
}

const streamsMax = 100_000

export class EventAppender {
  readonly #statements: StatementSet<WritingName>
  readonly #second: SecondIndexStatements
  readonly #reservations: ReservationBook
  readonly #streams = new Map<string, Map<string, Stream>>()
  readonly #unsaved = new Set<Stream>()
  readonly #kinds = new Map<string, Kind[]>()
  readonly #dataVersion: () => number
  #streamCount = 0
  #versionSeen = -1
  #head = 0
  #headSaved = 0
  #sizeMax = 0
  #streamLast = 0
  #kindLast = 0
  #kindsSaved = 0

  constructor(
    database: DatabaseSync,
    prefix: string,
    statements: StatementSet<WritingName>,
    reservations: ReservationBook,
  ) {
    this.#statements = statements
    this.#second = secondIndexStatementsOf(database, prefix)
    this.#reservations = reservations
    const { dataVersion } = prepareAll(database, { dataVersion: 'PRAGMA data_version' })
    this.#dataVersion = () => oneRow<[number]>(dataVersion)![0]
  }

  /** Call this first in each transaction. @throws Failure if the log does not end where its row says */
  begin(): void {
    const version = this.#dataVersion()
    if (version === this.#versionSeen) return
    this.forget()
    const [last, head, sizeMax, kinds] = oneRow<LogRow>(this.#statements.head) ?? noLog
    if ((last ?? 0) !== head) throw damagedEnd(last, head)
    this.#versionSeen = version
    this.#head = head
    this.#headSaved = head
    this.#sizeMax = sizeMax
    this.#kindLast = kinds
    this.#kindsSaved = kinds
    this.#streamLast = oneRow<[number | null]>(this.#statements.lastStream)?.[0] ?? 0
  }

  /** Call this last in each transaction. It writes the ends of the log and of its streams. */
  end(): void {
    const { saveStream, saveHead } = this.#statements
    if (this.#head === this.#headSaved && this.#kindLast === this.#kindsSaved) return
    for (const stream of this.#unsaved) {
      const { id, number, sequence, checksum, sizeMax } = stream
      const own = checksumOfStream(stream)
      if (stream.state === 'new') this.#addStream(id, number, sequence, checksum, sizeMax, own)
      else execute(saveStream, sequence, checksum, sizeMax, own, number)
      stream.state = 'saved'
    }
    this.#unsaved.clear()
    execute(saveHead, this.#head, this.#sizeMax, this.#kindLast)
    this.#headSaved = this.#head
    this.#kindsSaved = this.#kindLast
  }

  /** If only one of two indexes has the stream, the other one refuses it here. */
  #addStream(id: StreamId, ...values: readonly [number, number, number, number, number]): void {
    const [number, sequence, checksum, sizeMax, own] = values
    try {
      execute(this.#statements.addStream, number, id.aggregate, id.id, sequence, checksum, sizeMax, own)
    } catch (error) {
      throw codeOf(error) === codes.constraintUnique ? lostStream(id) : error
    }
  }

  /** Drops what is known, because after a rollback it may be wrong. */
  forget(): void {
    this.#versionSeen = -1
    this.#streams.clear()
    this.#unsaved.clear()
    this.#kinds.clear()
    this.#streamCount = 0
  }

  /** @returns the items of each commit, for `unpackResults` */
  append({ commits: flat, callers, ...appending }: Calls['append']['request']): Flat {
    const answer: (string | number | null)[] = []
    const broken = new Set<Stream>()
    const batch = { broken, answer, appending }
    let stream: Stream | undefined
    let at = 0
    for (const count of callers) {
      // The next caller's commits were not decided on this one's.
      if (broken.size > 0) broken.clear()
      for (let i = 0; i < count; i++) {
        const [aggregate, id] = [flat[at] as string | null, flat[at + 1] as string]
        if (aggregate !== null) stream = this.#stream(aggregate, id)
        const commit = commitAt(flat, at)
        this.#appendOne(flat, commit, stream!, batch)
        at = commit.at + commit.count * itemsPerEvent
      }
    }
    return answer
  }

  #appendOne(flat: Flat, commit: PackedCommit, stream: Stream, { broken, answer, appending }: Batch): void {
    const isReserved = this.#reservations.isOthers(stream.id, appending)
    const isWanted = !isReserved && isMet(commit.expected, stream.sequence, broken.has(stream))
    if (isWanted && this.#insert(flat, commit, stream)) {
      this.#reservations.end(stream.id)
      answer.push(statusNumbers.stored, stream.sequence, this.#head, stream.checksum)
      return
    }
    broken.add(stream)
    if (stream.state === 'new' && stream.sequence === 0) this.#checkMissing(stream.id)
    const found = this.#stored(stream, commit.commitId)
    if (found !== undefined) answer.push(statusNumbers.duplicate, ...found)
    else answer.push(isReserved ? statusNumbers.reserved : statusNumbers.conflict, stream.sequence)
  }

  /** @returns false if the commit is already stored; then nothing is written */
  #insert(flat: Flat, commit: PackedCommit, stream: Stream): boolean {
    for (let place = 0; place < commit.count; place++) {
      const at = commit.at + place * itemsPerEvent
      const tags = flat[at + 4] as string | null
      const size = this.#insertEvent(commit, place === 0, stream, {
        kind: this.#kind(stream.id.aggregate, flat[at] as string, flat[at + 1] as number),
        data: flat[at + 2] as string,
        metadata: flat[at + 3] as string | null,
        tags,
      })
      if (size === undefined) return false
      if (tags !== null) for (const tag of JSON.parse(tags)) execute(this.#statements.addTag, tag, this.#head)
      if (size > stream.sizeMax) stream.sizeMax = size
    }
    if (stream.sizeMax > this.#sizeMax) this.#sizeMax = stream.sizeMax
    if (stream.state === 'saved') stream.state = 'changed'
    this.#unsaved.add(stream)
    return true
  }

  /**
   * @returns the number of its characters of JSON, or undefined, with nothing written, if its commit is already stored
   */
  #insertEvent(
    { commitId, recordedAt, count, command, digest }: PackedCommit,
    isFirst: boolean,
    stream: Stream,
    { kind, data, metadata, tags }: PackedEvent,
  ): number | undefined {
    const position = this.#head + 1
    const sequence = stream.sequence + 1
    const row: EventRow = [position, sequence, kind.number, recordedAt, 0, commitId, data, metadata, tags]
    const checksum = checksumOf(row, stream, kind)
    try {
      execute(
        this.#statements.addEvent,
        position,
        sequence,
        kind.number,
        recordedAt,
        checksum,
        commitId,
        data,
        metadata,
        tags,
        stream.number,
        isFirst ? count : null,
        isFirst ? command : null,
        isFirst ? digest : null,
        isFirst ? checksumOfValues(checksum, count, command, digest) : null,
      )
    } catch (error) {
      if (codeOf(error) !== codes.constraintUnique) throw error
      if (isFirst && this.#stored(stream, commitId) !== undefined) return undefined
      throw damagedEvent(position, 'an index already has it')
    }
    this.#head = position
    stream.sequence = sequence
    stream.checksum = checksum
    return data.length + (metadata?.length ?? 0) + (tags?.length ?? 0)
  }

  /** The items of a commit's answer after its status, if the commit is stored. */
  #stored(stream: Stream, commitId: string): readonly (string | number | null)[] | undefined {
    const first = oneRow<CommitRow>(this.#statements.commit, stream.number, commitId)
    const isMissed = first === undefined && this.#second !== undefined
    if (isMissed && oneRow(this.#second.commit, stream.number, commitId) !== undefined) throw lostCommit(commitId)
    if (first === undefined) return undefined
    if (first[5] !== commitId) throw lostCommit(commitId)
    const event = this.#check(first, stream)
    const { sequence, position } = event
    const { count, command } = commitOf(first)
    const end = position + count - 1
    const { checksum } = count === 1 ? event : this.#check(oneRow<EventRow>(this.#statements.one, end), stream, end)
    return [sequence + count - 1, end, checksum, count, command?.name ?? null, command?.digest ?? null]
  }

  /** The event of a row, which must belong to the stream. */
  #check(row: EventRow | undefined, stream: Stream, position = row?.[0]): StoredEvent {
    if (row === undefined || row[9] !== stream.number) throw damagedEvent(position, 'it is missing')
    const [type, revision] = oneRow<[string, number]>(this.#statements.kind, row[2]) ?? []
    if (typeof type !== 'string' || revision === undefined) throw damagedEvent(position, 'its kind is unknown')
    return eventOf(row, stream, { type, revision, seed: seedOfKind(type, revision) })
  }

  #stream(aggregate: string, id: string): Stream {
    let streams = this.#streams.get(aggregate)
    const known = streams?.get(id)
    if (known !== undefined) return known
    const stream = this.#load({ aggregate, id })
    if (streams === undefined) {
      streams = new Map()
      this.#streams.set(aggregate, streams)
    }
    streams.set(id, stream)
    this.#streamCount++
    return stream
  }

  #load(id: StreamId): Stream {
    const row = oneRow<StreamRow>(this.#statements.stream, id.aggregate, id.id)
    if (row === undefined) {
      const seed = seedOfStream(id)
      return { id, seed, number: ++this.#streamLast, sequence: 0, checksum: 0, sizeMax: 0, state: 'new' }
    }
    const place = placeOfStream(id, row)
    const { number, sequence } = place
    const last = oneRow<[number | null]>(this.#statements.lastSequence, number)?.[0]
    if (last !== sequence) {
      const reason = `its last event is ${last ?? 'none'}, and not ${sequence}`
      throw new Failure({ kind: 'damaged', where: `stream ${JSON.stringify(id)}`, reason })
    }
    return { id, ...place, state: 'saved' }
  }

  /**
   * Checks that no index has a stream. That is only necessary for an answer: a stream that is stored is refused by the
   * index that has it. @throws Failure
   */
  #checkMissing({ aggregate, id }: StreamId): void {
    if (oneRow(this.#statements.streamAgain, aggregate, id) !== undefined) throw lostStream({ aggregate, id })
  }

  #kind(aggregate: string, type: string, revision: number): Kind {
    let kinds = this.#kinds.get(aggregate)
    if (kinds === undefined) {
      kinds = []
      this.#kinds.set(aggregate, kinds)
    }
    const known = kinds.find((kind) => kind.type === type && kind.revision === revision)
    if (known !== undefined) return known
    let number = oneRow<[number]>(this.#statements.kindNumber, aggregate, type, revision)?.[0]
    if (number === undefined) {
      number = ++this.#kindLast
      const checksum = checksumOfValues(number, aggregate, type, revision)
      execute(this.#statements.addKind, number, aggregate, type, revision, checksum)
    }
    const kind = { number, type, revision, seed: seedOfKind(type, revision) }
    kinds.push(kind)
    return kind
  }

  /** Bounds what is kept in memory. Called between transactions, so nothing in use is dropped. */
  trim(): void {
    if (this.#streamCount > streamsMax) this.forget()
  }
}

function commitAt(flat: Flat, at: number): PackedCommit {
  return {
    expected: flat[at + 2] as Expected,
    commitId: flat[at + 3] as string,
    recordedAt: flat[at + 4] as number,
    count: flat[at + 5] as number,
    command: flat[at + 6] as string | null,
    digest: flat[at + 7] as number | null,
    at: at + itemsPerCommit,
  }
}
