/**
 * Reads the log and streams. It reads whole commits and returns single events. Pages are bounded, and no cursor stays
 * open.
 *
 * A forward page of the log without filters is one query. No commit exists before its predecessor, so reading commits
 * in order finds everything up to the point where it ends. Each commit has the checksum of the one before it, so the
 * first one also shows whether this is the log that the reader knows. Every other read first asks where the log ends,
 * and looks no further. A filter that uses several parts of an index at different times therefore cannot miss commits
 * that were appended meanwhile. Later queries see at least as much, on any server (see `database.ts`). Commits that an
 * index leaves out are counted, if there are not too many, so a read does not pass over missing commits.
 */
import { StoreError } from '../../../domain/error.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { checkBehind, examinedBy, readOptions } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { LogPlace, Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../../store.ts'
import type { Database, Query } from '../database/database.ts'
import { byId, indexes } from '../database/indexes.ts'
import { type CommitHeader, checkHeaders, headerFields, receiptOf } from './commit-document.ts'
import { CommitPages, type CommitPortion, type Found, type Reading } from './commit-pages.ts'
import { type Course, courseOfLog, courseOfStream } from './course.ts'
import type { End, LogEnd } from './log-end.ts'
import { noEnd } from './stream-ends.ts'
import { keyOf, type Streams } from './streams.ts'

/** Commits are counted over at most this number of positions. */
const countedMax = 10_000

const nothing: CommitPortion = Object.freeze({ commits: [] })

export class EventReader {
  readonly #database: Database
  readonly #label: string
  readonly #streams: Streams
  readonly #end: LogEnd
  readonly #pages: CommitPages

  constructor(database: Database, label: string, streams: Streams, end: LogEnd) {
    this.#database = database
    this.#label = label
    this.#streams = streams
    this.#end = end
    this.#pages = new CommitPages(database, label, streams, end)
  }

  async findCommit({ aggregate, id }: StreamId, commitId: string): Promise<Receipt | undefined> {
    const found = await this.#database.find<CommitHeader>('commits', {
      filter: { aggregate, id, commitId },
      limit: 1,
      projection: headerFields,
      hint: indexes.byCommit,
    })
    const [header] = checkHeaders(found, this.#label)
    return header && receiptOf(header)
  }

  async readStream(stream: StreamId, range: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    const [from, to] = [Math.max(range.from, 1), Math.min(range.to, Number.MAX_SAFE_INTEGER)]
    if (from >= to || limit === 0) return []
    const { era } = this.#streams
    const { commits } = await this.#pages.read(courseOfStream(stream), {
      from,
      to,
      limit,
      backward,
      signal: options.signal,
    })
    const newest = (backward ? commits[0] : commits.at(-1))?.document
    const { sequence, checksum } = newest === undefined ? noEnd : receiptOf(newest)
    const events = eventsIn(commits, limit)
    // Whether a commit after the newest one would have been found.
    const isOpen = range.to > to && (backward || events.length < limit)
    const isEnd = isOpen && (newest !== undefined || from === 1)
    if (isEnd) this.#streams.learnEnd(keyOf(stream), { sequence, checksum }, era)
    else if (newest !== undefined) this.#streams.learn(keyOf(stream), sequence)
    return events
  }

  readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const { limit, backward } = readOptions(options)
    const [from, to] = [Math.max(range.from, 1), Math.min(range.to, Number.MAX_SAFE_INTEGER)]
    const reading = { from, to, limit, backward, signal: options.signal }
    const course = courseOfLog(options)
    const isWalk = course.isDense && !backward && limit > 0 && from < to
    if (isWalk) return this.#walk(course, reading, range, options.behind)
    const isVain = options.types?.length === 0 || options.aggregates?.length === 0
    return this.#search(course, isVain ? { ...reading, limit: 0 } : reading, { range, limit, behind: options.behind })
  }

  /** A forward page of the log without filters. */
  async #walk(course: Course, reading: Reading, range: Range, behind: LogPlace | undefined): Promise<Page> {
    const { from, limit } = reading
    const [{ commits, cutAt }, elsewhere] = await Promise.all([
      this.#pages.read(course, reading),
      behind === undefined || behind.position === from - 1 ? undefined : this.#commitAt(behind.position, reading),
    ])
    const first = commits[0]?.document
    const before = first === undefined ? await this.#checksumAt(from - 1, reading) : checksumBefore(first, from)
    if (behind !== undefined) await this.#check(behind, behind.position === from - 1 ? before : elsewhere?.checksum)
    const events = eventsIn(commits, limit)
    const last = events.at(-1)
    if (last !== undefined) {
      const own = commits.findLast(({ document }) => document._id <= last.position)!
      this.#end.learn(own.document, last.position + 1)
    }
    const examined = examinedBy(events, range, reading, last?.position ?? from - 1)
    const isLast = events.length < limit && cutAt === undefined
    return { events, examined, checksum: last?.checksum ?? before ?? 0, isLast }
  }

  /** Any other page: filtered, backward, or empty. */
  async #search(
    course: Course,
    reading: Reading,
    { range, limit, behind }: { readonly range: Range; readonly limit: number; readonly behind: LogPlace | undefined },
  ): Promise<Page> {
    const end = await this.#end.read(reading.signal)
    const bounded = { ...reading, to: Math.min(reading.to, end.head + 1) }
    const isEmpty = bounded.limit === 0 || bounded.from >= bounded.to
    const [{ commits, cutAt }, known, isCounted] = await Promise.all([
      isEmpty ? nothing : this.#pages.read(course, bounded),
      behind && this.#commitAt(behind.position, reading),
      isEmpty || this.#count(bounded, end.commit),
    ])
    if (behind !== undefined) await this.#check(behind, known?.checksum)
    const events = eventsIn(commits, limit)
    const last = events.at(-1)
    const isLast = events.length < limit && cutAt === undefined
    if (!isCounted && !isLast) await this.#count(bounded, commits.at(-1)?.document)
    const examined = cutAt ?? examinedBy(events, range, { limit, backward: reading.backward }, end.head)
    const place = { position: examined, ...(last?.position === examined ? last : undefined) }
    return { events, examined, checksum: await this.#checksumOf(place, end, reading), isLast }
  }

  /**
   * Counts the commits from a position up to a commit, if they are not too many and the read is forward.
   *
   * @returns whether it did
   * @throws StoreError `STORE_CORRUPT` if some are missing
   */
  async #count({ from, to, backward, signal }: Reading, last: CommitHeader | undefined): Promise<boolean> {
    if (backward || last === undefined || last._id < from || last._id - from >= countedMax) return false
    const filter = { _id: { $gte: BigInt(from), $lte: BigInt(last._id) } }
    const [before, count] = await Promise.all([
      this.#commitAt(from - 1, { signal }),
      this.#database.count('commits', { filter, hint: byId }, signal),
    ])
    const expected = last.number - (before?.number ?? 0)
    if (count === expected && (before !== undefined || from === 1)) return true
    const where = `positions ${from} to ${Math.min(last._id + last.count, to) - 1}`
    const reason = `of ${expected} commits there are ${count}`
    throw new StoreError('STORE_CORRUPT', { store: this.#label, where, reason })
  }

  /** @throws StoreError `LOG_REPLACED` */
  async #check(behind: LogPlace, found: number | undefined): Promise<void> {
    if (behind.position === 0) return
    if (found !== undefined && (behind.checksum ?? found) === found) return
    const { head } = await this.#end.read()
    checkBehind(behind, { store: this.#label, head, checksum: found ?? 0 })
  }

  async #checksumOf(
    { position, checksum }: { readonly position: number; readonly checksum?: number },
    { head, commit }: End,
    reading: Reading,
  ): Promise<number> {
    if (checksum !== undefined) return checksum
    if (position > head) return 0
    if (position === head) return commit?.checksum ?? 0
    return (await this.#checksumAt(position, reading)) ?? 0
  }

  async #checksumAt(position: number, reading: Pick<Reading, 'signal'>): Promise<number | undefined> {
    return (await this.#commitAt(position, reading))?.checksum
  }

  /** The commit that has an event at a position. */
  async #commitAt(position: number, { signal }: Pick<Reading, 'signal'>): Promise<CommitHeader | undefined> {
    if (position < 1) return undefined
    const begin = this.#end.reachingInto(position)
    const _id = begin === undefined ? { $lte: BigInt(position) } : BigInt(begin === 0 ? position : begin)
    const query: Query = { filter: { _id }, sort: { _id: -1 }, limit: 1, projection: headerFields, hint: byId }
    const [header] = checkHeaders(await this.#database.find<CommitHeader>('commits', query, signal), this.#label)
    return header !== undefined && header._id + header.count > position ? header : undefined
  }
}

/** The checksum of the event before a position at or in a commit, or undefined if there is none. */
function checksumBefore({ _id, previous, checksum }: CommitHeader, position: number): number | undefined {
  if (position === 1) return undefined
  return _id === position ? previous : checksum
}

/** The events of commits, up to the limit. */
function eventsIn(commits: readonly Found[], limit: number): readonly StoredEvent[] {
  const events: StoredEvent[] = []
  for (const { events: own } of commits) {
    if (events.length >= limit) break
    for (const event of own) events.push(event)
  }
  if (events.length > limit) events.length = limit
  return events
}
