/**
 * Reads commits through the index. Neighbouring lines are read together, and every line is checked against its checksum
 * and its place. A read sees the log as it was when it began. Long reads are cut into pieces so that the event loop can
 * turn, and each piece checks the signal.
 */
import type { StreamId } from '../../../domain/stream.ts'
import { Breath, type EventLoop } from '../../../runtime/breath.ts'
import { checkBehind, examinedBy, matches, readOptions } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../../store.ts'
import { corrupt } from '../database/failure.ts'
import type { CommitIndex } from '../index/commit-index.ts'
import { parseLine } from './lines.ts'
import { type CommitRecord, eachEvent, isRecord, markOf } from './record.ts'
import type { Segments } from './segments.ts'

/** The number of bytes in one piece, unless a single commit is larger. */
const extentBytesMax = 256 * 1024
/** The number of bytes to read first if it is unknown how much the filters leave; twice as many each time. */
const extentBytesMin = 16 * 1024
/** The greatest gap in bytes between two commits of a stream that are read together. */
const gapBytesMax = 8 * 1024
const readsAtOnceMax = 8
/**
 * A page ends when this number of bytes was read, even before its limit, because all of it may be in memory at once.
 */
const pageBytesMax = 32 * 1024 * 1024
/** The number of bytes that are read between two looks at the clock. */
const bytesAtOnce = 4 * 1024
/** The number of steps in the index between two looks at the clock. */
const commitsAtOnce = 1024

/** From one sequence or position to another, both included. */
interface Span {
  readonly first: number
  readonly last: number
}

interface Paging {
  readonly limit: number
  readonly backward: boolean
}

/** The events of a page, and how far the read has looked if that was not to the end. */
interface Gathered {
  readonly events: StoredEvent[]
  cutAt: number | undefined
}

type Take = (event: StoredEvent) => void

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
  readonly #loop: EventLoop

  constructor(store: string, index: CommitIndex, segments: Segments, loop: EventLoop) {
    this.#store = store
    this.#index = index
    this.#segments = segments
    this.#loop = loop
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
    const breath = new Breath(this.#loop, options.signal)
    const commits = await this.#commitsOf(stream, { first, last }, breath)
    const events: StoredEvent[] = []
    const take = (event: StoredEvent) => {
      if (event.sequence >= first && event.sequence <= last) events.push(event)
    }
    await this.#visit(commits, breath, take)
    return backward ? events.reverse() : events
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const paging = readOptions(options)
    const { head } = this.#index
    const { behind } = options
    if (behind !== undefined) {
      checkBehind(behind, { store: this.#store, head, checksum: this.#index.checksumAt(behind.position) })
    }
    const span = { first: Math.max(range.from, 1), last: Math.min(range.to - 1, head) }
    const gathered: Gathered = { events: [], cutAt: undefined }
    if (span.first <= span.last && paging.limit > 0) await this.#gather(gathered, span, paging, options)
    const { events, cutAt } = gathered
    const examined = cutAt ?? examinedBy(events, range, paging, head)
    const isLast = cutAt === undefined && events.length < paging.limit
    return { events, examined, checksum: this.#index.checksumAt(examined), isLast }
  }

  async findCommit(id: StreamId, commitId: string): Promise<Receipt | undefined> {
    const stream = this.#index.streams.find(id)
    return stream === -1 ? undefined : this.findCommitOf(stream, commitId)
  }

  /** Like `findCommit`, for the number of a stream. It reads nothing if there is no candidate. */
  async findCommitOf(stream: number, commitId: string): Promise<Receipt | undefined> {
    for (const commit of this.#index.candidates(stream, commitId)) {
      const start = this.#index.offset.get(commit)
      const line = await this.#segments.read(start, this.#index.lineEnd(commit))
      const checksum = this.#index.checksum.get(commit)
      const record = this.#record(commit, line, checksum)
      if (record.commit === commitId) return receiptOf(record, checksum)
    }
    return undefined
  }

  /** The commits of a stream with its events from one sequence to another, ascending. */
  async #commitsOf(stream: number, { first, last }: Span, breath: Breath): Promise<readonly number[]> {
    const commits: number[] = []
    for (let commit = this.#index.commitOf(stream, last); commit !== -1; commit = this.#index.previous(commit)) {
      commits.push(commit)
      if (this.#index.sequence(commit) <= first) break
      if (commits.length % commitsAtOnce === 0 && breath.isDue) await breath.pause()
    }
    return commits.reverse()
  }

  /**
   * Adds the events between two positions that match the filters, in reading order, up to the limit or the bound in
   * bytes.
   */
  async #gather(gathered: Gathered, span: Span, paging: Paging, options: ReadAllOptions): Promise<void> {
    const { limit, backward } = paging
    const { events } = gathered
    const index = this.#index
    const [low, high] = [index.commitAt(span.first), index.commitAt(span.last)]
    const breath = new Breath(this.#loop, options.signal)
    const isWanted = this.#wanted(options)
    const allPass = options.types === undefined && options.tags === undefined
    const takesAll = allPass && options.aggregates === undefined
    let bytesMax = allPass ? extentBytesMax : extentBytesMin
    let bytesRead = 0
    for (let next = backward ? high : low; next >= low && next <= high && events.length < limit; ) {
      if (bytesRead > pageBytesMax) {
        gathered.cutAt = backward ? index.position.get(next + 1) : index.position.get(next) - 1
        return
      }
      const commits: number[] = []
      let [bytes, most, looked] = [0, 0, 0]
      for (; next >= low && next <= high && bytes < bytesMax; next += backward ? -1 : 1) {
        if (++looked % commitsAtOnce === 0 && breath.isDue) await breath.pause()
        if (events.length + (allPass ? most : 0) >= limit) break
        if (!isWanted(next)) continue
        commits.push(next)
        bytes += index.lineEnd(next) - index.offset.get(next)
        const position = index.position.get(next)
        most += Math.min(position + index.events(next) - 1, span.last) - Math.max(position, span.first) + 1
      }
      const found: StoredEvent[] = backward ? [] : events
      await this.#visit(backward ? commits.reverse() : commits, breath, (event) => {
        const isInside = event.position >= span.first && event.position <= span.last
        if (isInside && (backward || found.length < limit) && (takesAll || matches(options, event))) found.push(event)
      })
      if (backward) for (const event of found.reverse()) if (events.length < limit) events.push(event)
      bytesRead += bytes
      bytesMax = Math.min(bytesMax * 2, extentBytesMax)
    }
  }

  /** Whether a commit is of one of the wanted aggregates. The index knows that. */
  #wanted({ aggregates }: ReadAllOptions): (commit: number) => boolean {
    if (aggregates === undefined) return () => true
    const { stream, streams } = this.#index
    const numbers = new Set(aggregates.map((aggregate) => streams.aggregateNumber(aggregate)))
    return (commit) => numbers.has(streams.aggregate.get(stream.get(commit)))
  }

  /** Reads commits, which are ascending, and passes their events on in order. */
  async #visit(commits: readonly number[], breath: Breath, take: Take): Promise<void> {
    breath.throwIfAborted()
    let waiting: Extent[] = []
    for (const extent of this.#extents(commits)) {
      if (waiting.push(extent) < readsAtOnceMax) continue
      await this.#visitExtents(waiting, breath, take)
      waiting = []
    }
    await this.#visitExtents(waiting, breath, take)
  }

  async #visitExtents(extents: readonly Extent[], breath: Breath, take: Take): Promise<void> {
    const index = this.#index
    const read = await Promise.all(extents.map(({ from, to }) => this.#segments.read(from, to)))
    breath.throwIfAborted()
    let lookedAt = 0
    for (const [i, { commits, from }] of extents.entries()) {
      const bytes = read[i]!
      for (const commit of commits) {
        const [start, end] = [index.offset.get(commit), index.lineEnd(commit)]
        const checksum = index.checksum.get(commit)
        eachEvent(this.#record(commit, bytes.subarray(start - from, end - from), checksum), checksum, take)
        if (end - lookedAt < bytesAtOnce) continue
        lookedAt = end
        if (breath.isDue) await breath.pause()
      }
    }
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

  /**
   * The record in the line of a commit. If the checksum is right, the line is the one that was written there, so
   * nothing else is checked.
   */
  #record(commit: number, line: Buffer, checksum: number): CommitRecord {
    const record = parseLine(line, checksum)
    if (isRecord(record) && record.position === this.#index.position.get(commit)) return record
    const where = this.#segments.describe(this.#index.offset.get(commit))
    throw corrupt(this.#store, where, 'the line does not fit its checksum, or is not the one that was written there')
  }
}

function receiptOf(record: CommitRecord, checksum: number): Receipt {
  const { length: count } = record.events
  const receipt = { sequence: record.sequence + count - 1, position: record.position + count - 1, count, checksum }
  const command = markOf(record)
  return command === undefined ? receipt : { ...receipt, command }
}
