/**
 * Reading commits through the index: what lies together is read together, every line is checked against its checksum
 * and its place. A read sees the log as it was when it began. Long reads are cut into pieces, so that none holds up the
 * event loop; each piece asks the signal.
 */
import type { StreamId } from '../../domain/stream.ts'
import { checkBehind, examinedBy, matches, readOptions } from '../page.ts'
import type { Range } from '../range.ts'
import type { Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../store.ts'
import type { CommitIndex } from './commit-index.ts'
import { checksumOf, parseLine } from './lines.ts'
import { type CommitRecord, eventsOf, isRecord, markOf } from './record.ts'
import type { Segments } from './segments.ts'
import { corrupt } from './trouble.ts'

/** What is read in one piece, unless a single commit is more. */
const extentBytesMax = 256 * 1024
/** What is read first where it is not known how much the filters leave; twice as much each time. */
const extentBytesMin = 16 * 1024
/** Bytes between two commits of a stream that are read along rather than asked for twice. */
const gapBytesMax = 8 * 1024
const readsAtOnceMax = 8

/** A commit as it was read, with the checksum of its line. */
interface ReadRecord {
  readonly record: CommitRecord
  readonly checksum: number
}

/** Commits whose lines are read in one piece. */
interface Extent {
  readonly commits: readonly number[]
  readonly from: number
  readonly to: number
}

export class LogReader {
  readonly #store: string
  readonly #index: CommitIndex
  readonly #segments: Segments

  constructor(store: string, index: CommitIndex, segments: Segments) {
    this.#store = store
    this.#index = index
    this.#segments = segments
  }

  async readStream(id: StreamId, range: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    const stream = this.#index.streams.find(id)
    if (stream === -1) return []
    let first = Math.max(range.from, 1)
    let last = Math.min(range.to - 1, this.#index.lastSequence(stream))
    if (last < first || limit === 0) return []
    if (backward) first = Math.max(first, last - limit + 1)
    else last = Math.min(last, first + limit - 1)
    const commits: number[] = []
    for (let commit = this.#index.commitOf(stream, last); commit !== -1; commit = this.#index.previous(commit)) {
      commits.push(commit)
      if (this.#index.sequence(commit) <= first) break
    }
    const records = await this.#records(commits.reverse(), options.signal)
    const events = records
      .flatMap(({ record, checksum }) => eventsOf(record, checksum))
      .filter(({ sequence }) => sequence >= first && sequence <= last)
    return backward ? events.reverse() : events
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const paging = readOptions(options)
    const { head } = this.#index
    const { behind } = options
    if (behind !== undefined) {
      checkBehind(behind, { store: this.#store, head, checksum: this.#index.checksumAt(behind.position) })
    }
    const first = Math.max(range.from, 1)
    const last = Math.min(range.to - 1, head)
    const events: StoredEvent[] = []
    if (first <= last && paging.limit > 0) {
      await this.#gather(events, { first, last }, paging, options)
    }
    const examined = examinedBy(events, range, paging, head)
    return { events, examined, checksum: this.#index.checksumAt(examined), isLast: events.length < paging.limit }
  }

  async findCommit(id: StreamId, commitId: string): Promise<Receipt | undefined> {
    const stream = this.#index.streams.find(id)
    return stream === -1 ? undefined : this.findCommitOf(stream, commitId)
  }

  /** Like `findCommit`, for a stream's number. Without a candidate nothing is read. */
  async findCommitOf(stream: number, commitId: string): Promise<Receipt | undefined> {
    for (const commit of this.#index.candidates(stream, commitId)) {
      const [found] = await this.#records([commit], undefined)
      const { record, checksum } = found!
      if (record.commit !== commitId) continue
      const { length: count } = record.events
      const receipt = { sequence: record.sequence + count - 1, position: record.position + count - 1, count, checksum }
      const command = markOf(record)
      return command === undefined ? receipt : { ...receipt, command }
    }
    return undefined
  }

  /** Adds the events between two positions that pass the filters, in reading order, up to the limit. */
  async #gather(
    events: StoredEvent[],
    { first, last }: { readonly first: number; readonly last: number },
    { limit, backward }: { readonly limit: number; readonly backward: boolean },
    options: ReadAllOptions,
  ): Promise<void> {
    const index = this.#index
    const [low, high] = [index.commitAt(first), index.commitAt(last)]
    const ofAggregates = options.aggregates && this.#aggregateNumbers(options.aggregates)
    const allPass = options.types === undefined && options.tags === undefined
    let bytesMax = allPass ? extentBytesMax : extentBytesMin
    for (let next = backward ? high : low; next >= low && next <= high && events.length < limit; ) {
      const commits: number[] = []
      let [bytes, most] = [0, 0]
      for (; next >= low && next <= high && bytes < bytesMax; next += backward ? -1 : 1) {
        if (events.length + (allPass ? most : 0) >= limit) break
        if (ofAggregates?.has(index.streams.aggregate.get(index.stream.get(next))) === false) continue
        commits.push(next)
        bytes += index.lineEnd(next) - index.offset.get(next)
        const position = index.position.get(next)
        most += Math.min(position + index.events(next) - 1, last) - Math.max(position, first) + 1
      }
      const records = await this.#records(backward ? commits.reverse() : commits, options.signal)
      const found = records
        .flatMap(({ record, checksum }) => eventsOf(record, checksum))
        .filter((event) => event.position >= first && event.position <= last && matches(options, event))
      if (backward) found.reverse()
      for (const event of found) if (events.length < limit) events.push(event)
      bytesMax = Math.min(bytesMax * 2, extentBytesMax)
    }
  }

  #aggregateNumbers(aggregates: readonly string[]): ReadonlySet<number | undefined> {
    return new Set(aggregates.map((aggregate) => this.#index.streams.aggregateNumber(aggregate)))
  }

  /** What the lines of commits say, in order. The commits rise. */
  async #records(commits: readonly number[], signal: AbortSignal | undefined): Promise<readonly ReadRecord[]> {
    const extents = [...this.#extents(commits)]
    const records: ReadRecord[] = []
    for (let next = 0; next < extents.length; next += readsAtOnceMax) {
      signal?.throwIfAborted()
      const some = extents.slice(next, next + readsAtOnceMax)
      const read = await Promise.all(some.map(({ from, to }) => this.#segments.read(from, to)))
      for (const [i, { commits, from }] of some.entries()) {
        for (const commit of commits) records.push(this.#record(commit, read[i]!, from))
      }
    }
    signal?.throwIfAborted()
    return records
  }

  *#extents(commits: readonly number[]): Iterable<Extent> {
    let [from, to] = [0, 0]
    let gathered: number[] = []
    for (const commit of commits) {
      const start = this.#index.offset.get(commit)
      const end = this.#index.lineEnd(commit)
      if (gathered.length > 0 && (start - to > gapBytesMax || end - from > extentBytesMax)) {
        yield { commits: gathered, from, to }
        gathered = []
      }
      if (gathered.length === 0) from = start
      gathered.push(commit)
      to = end
    }
    if (gathered.length > 0) yield { commits: gathered, from, to }
  }

  #record(commit: number, bytes: Buffer, from: number): ReadRecord {
    const index = this.#index
    const start = index.offset.get(commit)
    const line = bytes.subarray(start - from, index.lineEnd(commit) - from)
    const record = parseLine(line)
    const checksum = index.checksum.get(commit)
    if (isRecord(record) && checksumOf(line) === checksum && this.#isAt(record, commit)) return { record, checksum }
    const where = this.#segments.describe(start)
    throw corrupt(this.#store, where, 'the line does not fit its checksum, or is not the one that was written there')
  }

  /** Whether a line says that it is where the index has it: what is read has no gap then, as the index has none. */
  #isAt({ position, sequence, events }: CommitRecord, commit: number): boolean {
    const index = this.#index
    return (
      position === index.position.get(commit) &&
      sequence === index.sequence(commit) &&
      events.length === index.events(commit)
    )
  }
}
