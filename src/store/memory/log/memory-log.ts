/**
 * The memory store's log: the commits in order, with the positions and sequences at which they start. Events are made
 * when they are read.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { Commit } from '../../commit.ts'
import { Listeners } from '../../listeners.ts'
import type { Range } from '../../range.ts'
import type { Receipt, StoredEvent, StreamEnd } from '../../store.ts'
import { StreamIds, type StreamList, type StreamQuery } from '../../stream-list.ts'
import { hashOf, MemoryStream } from './memory-stream.ts'
import { StoredCommits } from './stored-commits.ts'

/** How to read: the limit, the direction, and the filter. */
interface Reading {
  readonly limit: number
  readonly backward: boolean
  readonly passes?: (event: StoredEvent) => boolean
}

/** Some commits in order, and the place of each commit's first event: its position or its sequence. */
interface Places {
  readonly count: number
  readonly commitAt: (index: number) => number
  readonly placeOf: (commit: number) => number
}

export class MemoryLog {
  readonly listeners: Listeners = new Listeners()
  readonly #commits = new StoredCommits()
  readonly #aggregates = new Map<string, Map<string, MemoryStream>>()
  readonly #ids = new StreamIds<string, string>((id) => id)

  /** The last position. */
  get head(): number {
    return this.#commits.head
  }

  find({ aggregate, id }: StreamId): MemoryStream | undefined {
    return this.#aggregates.get(aggregate)?.get(id)
  }

  /** Stores a commit after all others. */
  append(known: MemoryStream | undefined, commit: Commit, hash: number): Receipt & { readonly status: 'stored' } {
    const stream = known ?? this.#add(commit.stream)
    const { command } = commit
    const count = commit.events.length
    // Memory is not damaged, so the checksum only has to distinguish commits.
    const checksum = mark(stream, commit.recordedAt, hash)
    if (stream.sequence === 0) this.#ids.add(stream.id.aggregate, stream.id.id)
    const number = this.#commits.add(stream.id, commit, stream.sequence + 1, checksum)
    stream.add(number, commit.id, hash, count)
    const { sequence } = stream
    const position = this.#commits.head
    return command === undefined
      ? { status: 'stored', sequence, position, count, checksum }
      : { status: 'stored', sequence, position, count, checksum, command }
  }

  /** The checksum of the event at a position; 0 if there is none. */
  checksumAt(position: number): number {
    if (position < 1 || position > this.head) return 0
    return this.#commits.checksumOf(lastStartingAtOrBefore(this.#all, position))
  }

  endOf(stream: StreamId): StreamEnd {
    const found = this.find(stream)
    const last = found?.commits.at(-1)
    return { sequence: found?.sequence ?? 0, checksum: last === undefined ? 0 : this.#commits.checksumOf(last) }
  }

  /** Events of the log with positions in the range that pass the filter, up to the limit, in reading order. */
  readAll(range: Range, reading: Reading): readonly StoredEvent[] {
    return this.#collect(this.#all, range, reading)
  }

  /** The same for the events of one stream, with sequences in the range. */
  readStream(stream: StreamId, range: Range, reading: Reading): readonly StoredEvent[] {
    const commits = this.find(stream)?.commits ?? []
    const commitAt = (index: number) => commits[index]!
    const placeOf = (commit: number) => this.#commits.sequenceOf(commit)
    return this.#collect({ count: commits.length, commitAt, placeOf }, range, reading)
  }

  /** The stream with this id, made without events if there is none. */
  findOrAdd(id: StreamId): MemoryStream {
    return this.find(id) ?? this.#add(id)
  }

  list(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#ids.list(aggregate, query, () => withEvents(this.#aggregates.get(aggregate) ?? new Map()))
  }

  get #all(): Places {
    const commits = this.#commits
    return { count: commits.count, commitAt: (index) => index, placeOf: (commit) => commits.positionOf(commit) }
  }

  #add(stream: StreamId): MemoryStream {
    const { aggregate, id } = stream
    let streams = this.#aggregates.get(aggregate)
    if (streams === undefined) {
      streams = new Map()
      this.#aggregates.set(aggregate, streams)
    }
    const added = new MemoryStream(stream, hashOf(aggregate) ^ hashOf(id), this.#commits)
    streams.set(id, added)
    return added
  }

  /** Events whose place is in the range. The cost is a binary search and the events that are looked at. */
  #collect(places: Places, { from, to }: Range, { limit, backward, passes }: Reading): readonly StoredEvent[] {
    const commits = this.#commits
    const found: StoredEvent[] = []
    const step = backward ? -1 : 1
    const start = lastStartingAtOrBefore(places, backward ? to - 1 : from)
    for (let i = Math.max(start, 0); i >= 0 && i < places.count; i += step) {
      const commit = places.commitAt(i)
      const first = places.placeOf(commit)
      const count = commits.countOf(commit)
      for (let j = backward ? count - 1 : 0; j >= 0 && j < count; j += step) {
        const at = first + j
        if (found.length >= limit || (backward ? at < from : at >= to)) return found
        if (at < from || at >= to) continue
        const event = commits.eventOf(commit, j)
        if (passes === undefined || passes(event)) found.push(event)
      }
    }
    return found
  }
}

/** The ids of the streams that have events now. A map gives its entries in the order in which they were added. */
function* withEvents(streams: ReadonlyMap<string, MemoryStream>): Iterable<string> {
  let left = streams.size
  for (const [id, { sequence }] of streams) {
    if (left-- === 0) return
    if (sequence > 0) yield id
  }
}

/** A small number made from the parts in which any two commits differ. @param hash the hash of the commit's id */
function mark({ hash: ofStream, sequence }: MemoryStream, recordedAt: number, hash: number): number {
  const mixed = Math.imul(hash ^ Math.imul(ofStream, 0x9e3779b1) ^ recordedAt, 0x85ebca6b)
  return (mixed ^ Math.imul(sequence + 1, 0xc2b2ae35)) & 0x3fffffff
}

/** The index of the last commit that starts at or before a place; -1 if all start after it. */
function lastStartingAtOrBefore({ count, commitAt, placeOf }: Places, place: number): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (placeOf(commitAt(middle)) <= place) low = middle + 1
    else high = middle
  }
  return low - 1
}
