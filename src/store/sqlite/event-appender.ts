/**
 * Appends commits, on the writer's thread, inside a transaction that somebody else begins and ends. It remembers how far
 * streams are, so that the usual commit is one insert an event and no query; what it remembers is forgotten as soon as
 * another connection has changed the database (`PRAGMA data_version`, asked inside the transaction, when nobody else
 * can change it any more) and after every rollback.
 *
 * A repeated commit id is found by the unique index: a commit's first event carries it, and is refused before the commit
 * has written anything.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Expected } from '../commit.ts'
import { isMet } from '../expected.ts'
import { codeOf, codes } from './failure.ts'
import { type Flat, itemsPerCommit, itemsPerEvent, statusNumbers } from './protocol.ts'
import { oneRow, prepareAll, type StatementSet } from './statement-set.ts'
import type { WritingName } from './statements.ts'

/** A stream as far as it is known; without a number it has no event and no row yet. */
interface Stream {
  number: number | undefined
  sequence: number
}

/** A commit within the flat list. */
interface PackedCommit {
  readonly aggregate: string
  readonly id: string
  readonly expected: Expected
  readonly commitId: string
  readonly recordedAt: number
  readonly count: number
  /** Where its events begin. */
  readonly at: number
}

const streamsMax = 100_000

export class EventAppender {
  readonly #statements: StatementSet<WritingName>
  readonly #streams = new Map<string, Map<string, Stream>>()
  readonly #kinds = new Map<string, Map<string, number>>()
  readonly #dataVersion: () => number
  #streamCount = 0
  #versionSeen = -1
  #head = 0

  constructor(database: DatabaseSync, statements: StatementSet<WritingName>) {
    this.#statements = statements
    const { dataVersion } = prepareAll(database, { dataVersion: 'PRAGMA data_version' })
    this.#dataVersion = () => oneRow<[number]>(dataVersion)![0]
  }

  /** To be called first in each transaction. */
  begin(): void {
    const version = this.#dataVersion()
    if (version === this.#versionSeen) return
    this.forget()
    this.#versionSeen = version
    this.#head = oneRow<[number | null]>(this.#statements.head)?.[0] ?? 0
  }

  /** Drops what is remembered: after a rollback it may never have been. */
  forget(): void {
    this.#versionSeen = -1
    this.#streams.clear()
    this.#kinds.clear()
    this.#streamCount = 0
  }

  /** @returns four numbers a commit: status, sequence, position and count */
  append(flat: Flat): readonly number[] {
    const answers: number[] = []
    const broken = new Set<Stream>()
    for (let at = 0; at < flat.length; ) {
      const commit = commitAt(flat, at)
      this.#appendOne(flat, commit, broken, answers)
      at = commit.at + commit.count * itemsPerEvent
    }
    return answers
  }

  #appendOne(flat: Flat, commit: PackedCommit, broken: Set<Stream>, answers: number[]): void {
    const stream = this.#stream(commit.aggregate, commit.id)
    if (isMet(commit.expected, stream.sequence, broken.has(stream))) {
      if (this.#insert(flat, commit, stream)) {
        answers.push(statusNumbers.stored, stream.sequence, this.#head, commit.count)
        return
      }
    }
    broken.add(stream)
    const found =
      stream.number === undefined
        ? undefined
        : oneRow<[number, number, number]>(this.#statements.commit, stream.number, commit.commitId)
    if (found === undefined) answers.push(statusNumbers.conflict, stream.sequence, 0, 0)
    else {
      const [sequence, position, count] = found
      answers.push(statusNumbers.duplicate, sequence + count - 1, position + count - 1, count)
    }
  }

  /** @returns false, having written nothing, if the commit is stored already */
  #insert(flat: Flat, commit: PackedCommit, stream: Stream): boolean {
    const { aggregate, commitId, recordedAt, count } = commit
    if (stream.number === undefined) {
      stream.number = Number(this.#statements.addStream.run(aggregate, commit.id).lastInsertRowid)
    }
    for (let place = 0; place < count; place++) {
      const at = commit.at + place * itemsPerEvent
      const [type, revision, data, metadata, tags] = flat.slice(at, at + itemsPerEvent) as [
        string,
        number,
        string,
        string,
        string,
      ]
      const kind = this.#kind(aggregate, type)
      const position = this.#head + 1
      const sequence = stream.sequence + 1
      const size = place === 0 ? count : null
      try {
        this.#statements.addEvent.run(
          position,
          stream.number,
          sequence,
          kind,
          revision,
          recordedAt,
          commitId,
          size,
          data,
          metadata,
          tags,
        )
      } catch (error) {
        if (place === 0 && codeOf(error) === codes.constraintUnique && this.#isStored(stream.number, commitId))
          return false
        throw error
      }
      if (tags !== '[]') for (const tag of JSON.parse(tags)) this.#statements.addTag.run(tag, position)
      this.#head = position
      stream.sequence = sequence
    }
    return true
  }

  #isStored(stream: number, commitId: string): boolean {
    return oneRow(this.#statements.commit, stream, commitId) !== undefined
  }

  #stream(aggregate: string, id: string): Stream {
    let streams = this.#streams.get(aggregate)
    const known = streams?.get(id)
    if (known !== undefined) return known
    const number = oneRow<[number]>(this.#statements.streamNumber, aggregate, id)?.[0]
    const sequence = number === undefined ? 0 : oneRow<[number | null]>(this.#statements.streamSequence, number)?.[0]
    const stream: Stream = { number, sequence: sequence ?? 0 }
    if (streams === undefined) {
      streams = new Map()
      this.#streams.set(aggregate, streams)
    }
    streams.set(id, stream)
    this.#streamCount++
    return stream
  }

  #kind(aggregate: string, type: string): number {
    let kinds = this.#kinds.get(aggregate)
    const known = kinds?.get(type)
    if (known !== undefined) return known
    const number =
      oneRow<[number]>(this.#statements.kindNumber, aggregate, type)?.[0] ??
      Number(this.#statements.addKind.run(aggregate, type).lastInsertRowid)
    if (kinds === undefined) {
      kinds = new Map()
      this.#kinds.set(aggregate, kinds)
    }
    kinds.set(type, number)
    return number
  }

  /** Bounds what is remembered. Called between transactions, so that nothing in use is dropped. */
  trim(): void {
    if (this.#streamCount > streamsMax) this.forget()
  }
}

function commitAt(flat: Flat, at: number): PackedCommit {
  const [aggregate, id, expected, commitId, recordedAt, count] = flat.slice(at, at + itemsPerCommit) as [
    string,
    string,
    Expected,
    string,
    number,
    number,
  ]
  return { aggregate, id, expected, commitId, recordedAt, count, at: at + itemsPerCommit }
}
