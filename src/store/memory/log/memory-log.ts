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
import { CommitTable } from './commit-table.ts'

/** A commit in its place: the position and the sequence of its first event. */
interface Placed {
  readonly commit: Commit
  readonly position: number
  readonly sequence: number
  /** The checksum of all its events. Memory is not damaged, so it only has to distinguish commits. */
  readonly checksum: number
}

/** How to read: the limit, the direction, and the filter. */
interface Reading {
  readonly limit: number
  readonly backward: boolean
  readonly passes?: (event: StoredEvent) => boolean
}

/** The commits of one stream. */
export class MemoryStream {
  readonly commits: Placed[] = []
  sequence = 0
  /** The hash of its aggregate and id. */
  readonly hash: number
  /** Commits whose ids the library made one after the other, so that they are sorted. Most commits are among them. */
  readonly #sorted: Placed[] = []
  /** The other commits by the hashes of their ids; absent if there are none. */
  #table: CommitTable | undefined

  constructor(hash: number) {
    this.hash = hash
  }

  /** @param hash the hash of the id */
  find(commitId: string, hash: number = hashOfId(commitId)): Receipt | undefined {
    const placed = this.#inSorted(commitId) ?? this.#inTable(commitId, hash)
    return placed === undefined ? undefined : receiptOf(placed)
  }

  add(placed: Placed, hash: number): void {
    const { commits } = this
    const { id, events } = placed.commit
    commits.push(placed)
    this.sequence += events.length
    if (isOwnId(id) && this.#isAfterSorted(id)) this.#sorted.push(placed)
    else {
      this.#table ??= new CommitTable((index) => commits[index]!.commit.id)
      this.#table.add(hash, commits.length - 1)
    }
  }

  #isAfterSorted(id: string): boolean {
    const sorted = this.#sorted
    return sorted.length === 0 || sorted[sorted.length - 1]!.commit.id < id
  }

  #inSorted(id: string): Placed | undefined {
    // A new id is after all others, so one comparison is enough.
    if (this.#isAfterSorted(id)) return undefined
    const sorted = this.#sorted
    let low = 0
    let high = sorted.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]!.commit.id < id) low = middle + 1
      else high = middle
    }
    return sorted[low]!.commit.id === id ? sorted[low] : undefined
  }

  #inTable(id: string, hash: number): Placed | undefined {
    const index = this.#table === undefined ? -1 : this.#table.find(hash, id)
    return index === -1 ? undefined : this.commits[index]
  }
}

export class MemoryLog {
  readonly listeners: Listeners = new Listeners()
  readonly #commits: Placed[] = []
  readonly #aggregates = new Map<string, Map<string, MemoryStream>>()
  readonly #ids = new StreamIds<string, string>((id) => id)
  /** The last position. */
  head = 0

  find({ aggregate, id }: StreamId): MemoryStream | undefined {
    return this.#aggregates.get(aggregate)?.get(id)
  }

  /** Stores a commit after all others. */
  append(known: MemoryStream | undefined, commit: Commit, hash: number): Receipt & { readonly status: 'stored' } {
    const stream = known ?? this.#add(commit.stream)
    const checksum = mark(stream, commit.recordedAt, hash)
    if (stream.sequence === 0) this.#ids.add(commit.stream.aggregate, commit.stream.id)
    const placed = { commit, position: this.head + 1, sequence: stream.sequence + 1, checksum }
    stream.add(placed, hash)
    this.#commits.push(placed)
    const { length: count } = commit.events
    this.head += count
    const { command } = commit
    const { sequence } = stream
    const { head: position } = this
    return command === undefined
      ? { status: 'stored', sequence, position, count, checksum }
      : { status: 'stored', sequence, position, count, checksum, command }
  }

  /** The checksum of the event at a position; 0 if there is none. */
  checksumAt(position: number): number {
    if (position < 1 || position > this.head) return 0
    return this.#commits[lastStartingAtOrBefore(this.#commits, 'position', position)]!.checksum
  }

  endOf(stream: StreamId): StreamEnd {
    const found = this.find(stream)
    return { sequence: found?.sequence ?? 0, checksum: found?.commits.at(-1)?.checksum ?? 0 }
  }

  /** Events of the log with positions in the range that pass the filter, up to the limit, in reading order. */
  readAll(range: Range, reading: Reading): readonly StoredEvent[] {
    return collect(this.#commits, 'position', range, reading)
  }

  /** The same for the events of one stream, with sequences in the range. */
  readStream(stream: StreamId, range: Range, reading: Reading): readonly StoredEvent[] {
    return collect(this.find(stream)?.commits ?? [], 'sequence', range, reading)
  }

  /** The stream with this id, made without events if there is none. */
  findOrAdd(id: StreamId): MemoryStream {
    return this.find(id) ?? this.#add(id)
  }

  list(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#ids.list(aggregate, query, () => withEvents(this.#aggregates.get(aggregate) ?? new Map()))
  }

  #add({ aggregate, id }: StreamId): MemoryStream {
    let streams = this.#aggregates.get(aggregate)
    if (streams === undefined) {
      streams = new Map()
      this.#aggregates.set(aggregate, streams)
    }
    const stream = new MemoryStream(hashOf(aggregate) ^ hashOf(id))
    streams.set(id, stream)
    return stream
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

function receiptOf({ commit: { events, command }, position, sequence, checksum }: Placed): Receipt {
  const { length: count } = events
  const receipt = { sequence: sequence + count - 1, position: position + count - 1, count, checksum }
  return command === undefined ? receipt : { ...receipt, command }
}

/** A small number made from the parts in which any two commits differ. @param hash the hash of the commit's id */
function mark({ hash: ofStream, sequence }: MemoryStream, recordedAt: number, hash: number): number {
  const mixed = Math.imul(hash ^ Math.imul(ofStream, 0x9e3779b1) ^ recordedAt, 0x85ebca6b)
  return (mixed ^ Math.imul(sequence + 1, 0xc2b2ae35)) & 0x3fffffff
}

/** FNV-1a, cut to the size of a small integer. */
function hashOf(text: string): number {
  return hashFrom(text, 0)
}

/** The hash of a commit id. For an id made by the library only the last characters are used, because all are random. */
export function hashOfId(id: string): number {
  return hashFrom(id, isOwnId(id) ? id.length - 8 : 0)
}

/** Decided by the form of the id. If a caller's own id has the same form, only its hash differs. */
const isOwnId = (id: string): boolean => id.length === 23 && id.charCodeAt(0) === 0x7e

function hashFrom(text: string, start: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash & 0x3fffffff
}

/** Events whose `place` is in the range. The cost is a binary search and the events that are looked at. */
function collect(
  commits: readonly Placed[],
  place: 'position' | 'sequence',
  { from, to }: Range,
  { limit, backward, passes }: Reading,
): readonly StoredEvent[] {
  const found: StoredEvent[] = []
  const step = backward ? -1 : 1
  const start = lastStartingAtOrBefore(commits, place, backward ? to - 1 : from)
  for (let i = Math.max(start, 0); i >= 0 && i < commits.length; i += step) {
    const placed = commits[i]!
    const { length } = placed.commit.events
    for (let j = backward ? length - 1 : 0; j >= 0 && j < length; j += step) {
      const at = placed[place] + j
      if (found.length >= limit || (backward ? at < from : at >= to)) return found
      if (at < from || at >= to) continue
      const event = storedEvent(placed, j)
      if (passes === undefined || passes(event)) found.push(event)
    }
  }
  return found
}

/** The index of the last commit that starts at or before a place; -1 if all start after it. */
function lastStartingAtOrBefore(commits: readonly Placed[], place: 'position' | 'sequence', value: number): number {
  let low = 0
  let high = commits.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (commits[middle]![place] <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

function storedEvent({ commit, position, sequence, checksum }: Placed, index: number): StoredEvent {
  const { type, revision, data, metadata, tags } = commit.events[index]!
  const { stream, recordedAt, id: commitId } = commit
  return {
    stream,
    type,
    revision,
    data,
    metadata,
    tags,
    sequence: sequence + index,
    position: position + index,
    recordedAt,
    commitId,
    checksum,
  }
}
