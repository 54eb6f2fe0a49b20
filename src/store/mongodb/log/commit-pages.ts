/**
 * Reads commits of a range, a portion at a time. Every statement is bounded by what it examines and by size. A page of
 * the log is bounded too: if it would take more, it ends before its limit. Each commit is checked. If all of a range is
 * read, it is also checked that the commits follow one another.
 */

import { hasCode, StoreError } from '../../../domain/error.ts'
import type { StreamId } from '../../../domain/stream.ts'
import type { StoredEvent } from '../../store.ts'
import type { Database, Query } from '../database/database.ts'
import { byId } from '../database/indexes.ts'
import {
  type CommitDocument,
  type CommitHeader,
  checkHeaders,
  eventsOf,
  headerFields,
  receiptOf,
} from './commit-document.ts'
import type { Course } from './course.ts'
import type { LogEnd } from './log-end.ts'
import { keyOf, type Streams } from './streams.ts'

/** The greatest number of commits from one statement. */
const portionMax = 1000
/** The number of characters of events after which a page of the log ends. */
const pageSizeMax = 8_000_000
/** The number of statements after which a page of the log ends. */
const pageStatementsMax = 20
/** The number of positions that one statement examines if the index is not exact: first, and at most. */
const windowMin = 5_000
const windowMax = 50_000

/** A read with its bounds. */
export interface Reading {
  readonly from: number
  readonly to: number
  readonly limit: number
  readonly backward: boolean
  readonly signal: AbortSignal | undefined
}

/** A commit and its wanted events, in reading order. */
export interface Found {
  readonly document: CommitDocument
  readonly events: readonly StoredEvent[]
}

/** Commits in reading order. */
export interface CommitPortion {
  readonly commits: readonly Found[]
  /**
   * If the read ended before the end of the range: everything up to this position (backward: from it on) was examined.
   */
  readonly cutAt?: number
}

export class CommitPages {
  readonly #database: Database
  readonly #label: string
  readonly #streams: Streams
  readonly #end: LogEnd

  constructor(database: Database, label: string, streams: Streams, end: LogEnd) {
    this.#database = database
    this.#label = label
    this.#streams = streams
    this.#end = end
  }

  /**
   * The commits of a range, at least as many as the limit needs: those that begin in it, and the one that begins before
   * it and reaches into it. For a stream, all wanted commits, however large they are.
   *
   * @throws StoreError `STORE_CORRUPT`
   */
  async read(course: Course, reading: Reading): Promise<CommitPortion> {
    try {
      return await this.#read(course, reading)
    } catch (error) {
      if (!hasCode(error, 'STORE_CORRUPT')) throw error
      // If the log was replaced, what is known of where commits begin is wrong.
      this.#end.forgetAll()
      return this.#read(course, reading)
    }
  }

  async #read(course: Course, reading: Reading): Promise<CommitPortion> {
    const { from, limit, backward } = reading
    let [before, within] = await Promise.all([this.#reachingInto(course, reading), this.#beginningIn(course, reading)])
    const isWhole = !backward || (within.cutAt === undefined && countOf(within.commits) < limit)
    const first = (backward ? within.commits.at(-1) : within.commits[0])?.document[course.place] ?? from
    // If the range began after the end of the log, the commit that reaches into it may have come between the two looks.
    if (course.isDense && isWhole && before.length === 0 && first > from) {
      before = await this.#reachingInto(course, reading)
    }
    const commits = backward ? [...within.commits, ...(isWhole ? before : [])] : [...before, ...within.commits]
    if (course.isDense) this.#checkAdjacent(course, reading, commits, isWhole)
    return { ...within, commits }
  }

  /** The commit that begins before a range and ends in it, if there is one. */
  async #reachingInto(course: Course, reading: Reading): Promise<readonly Found[]> {
    const { from, signal } = reading
    const begin = this.#knownBegin(course, from) ?? (await this.#findBegin(course, from, signal))
    if (begin === 0) return []
    const document = await this.#database.get<CommitDocument>('commits', BigInt(begin), signal)
    return document === undefined ? [] : this.#open([document], course, reading)
  }

  #knownBegin({ place, base }: Course, from: number): number | undefined {
    if (place === '_id') return this.#end.reachingInto(from)
    return from <= 1 || this.#streams.sequenceOf(keyOf(base as StreamId)) === from - 1 ? 0 : undefined
  }

  async #findBegin({ place, base, whole }: Course, from: number, signal: AbortSignal | undefined): Promise<number> {
    const query: Query = {
      filter: { ...base, [place]: { $lt: BigInt(from) } },
      sort: { [place]: -1 },
      limit: 1,
      projection: headerFields,
      hint: whole,
    }
    const [header] = checkHeaders(await this.#database.find<CommitHeader>('commits', query, signal), this.#label)
    if (header === undefined) return 0
    if (place === 'from') this.#streams.learn(keyOf(header), receiptOf(header).sequence)
    return header[place] + header.count > from ? header._id : 0
  }

  /** The commits that begin in a range, as many as are needed. */
  async #beginningIn(course: Course, reading: Reading): Promise<CommitPortion> {
    const { place, isExact } = course
    const { limit, backward } = reading
    let { from, to } = reading
    const commits: Found[] = []
    let [count, size, statements] = [0, 0, 0]
    for (let window = isExact ? Number.POSITIVE_INFINITY : windowMin; from < to && count < limit; ) {
      if (place === '_id' && (size >= pageSizeMax || statements >= pageStatementsMax)) {
        return { commits, cutAt: backward ? await this.#firstFrom(to, reading) : from - 1 }
      }
      const part = backward ? { from: Math.max(from, to - window), to } : { from, to: Math.min(to, from + window) }
      const wanted = isExact ? Math.ceil((limit - count) / this.#end.eventsPerCommit) : portionMax
      const portion = await this.#portion(course, reading, part, wanted)
      for (const commit of portion.commits) {
        commits.push(commit)
        count += commit.events.length
        size += commit.document.events.length
      }
      statements++
      const reached = portion.cutAt
      if (backward) to = reached ?? part.from
      else from = reached === undefined ? part.to : reached + 1
      window = Math.min(window * 2, isExact ? window : windowMax)
    }
    return { commits }
  }

  /** The commits of one statement. */
  async #portion(
    course: Course,
    reading: Reading,
    { from, to }: { readonly from: number; readonly to: number },
    wanted: number,
  ): Promise<CommitPortion> {
    const { place, base, filter, hint } = course
    const { backward, signal } = reading
    const query: Query = {
      filter: { ...base, ...filter, [place]: { $gte: BigInt(from), $lt: BigInt(to) } },
      sort: { [place]: backward ? -1 : 1 },
      limit: Math.min(Math.max(wanted, 1), portionMax),
      hint,
    }
    const { documents, isAll } = await this.#database.findSome<CommitDocument>('commits', query, signal)
    const commits = this.#open(documents, course, reading)
    const last = documents.at(-1)
    if (last === undefined || (isAll && documents.length < query.limit!)) return { commits }
    return { commits, cutAt: backward ? last[place] : last[place] + last.count - 1 }
  }

  /**
   * Where the first commit at or after a position begins. An earlier commit may reach into the positions before that.
   */
  async #firstFrom(position: number, { to, signal }: Reading): Promise<number> {
    const filter = { _id: { $gte: BigInt(position) } }
    const query: Query = { filter, sort: { _id: 1 }, limit: 1, projection: headerFields, hint: byId }
    const [header] = checkHeaders(await this.#database.find<CommitHeader>('commits', query, signal), this.#label)
    return header?._id ?? to
  }

  #open(documents: readonly CommitDocument[], { place, passes }: Course, { from, to, backward }: Reading): Found[] {
    return checkHeaders(documents, this.#label).map((document) => {
      const start = Math.max(from - document[place], 0)
      const end = Math.min(to - document[place], document.count)
      const passing = eventsOf(document, this.#label).slice(start, end).filter(passes)
      return { document, events: backward ? passing.reverse() : passing }
    })
  }

  /** Checks that each commit begins where the one before it ends, from the start of the range on. */
  #checkAdjacent({ place }: Course, { from, backward }: Reading, commits: readonly Found[], isWhole: boolean): void {
    const ordered = backward ? commits.toReversed() : commits
    let next = isWhole ? from : undefined
    for (const { document } of ordered) {
      const begin = document[place]
      if (next !== undefined && (ordered[0]!.document === document ? begin > next : begin !== next)) {
        const where =
          place === '_id'
            ? `position ${next}`
            : `sequence ${next} of ${document.aggregate} ${JSON.stringify(document.id)}`
        const reason = `the commit there is missing; the next one begins at ${begin}`
        throw new StoreError('STORE_CORRUPT', { store: this.#label, where, reason })
      }
      next = begin + document.count
    }
  }
}

const countOf = (commits: readonly Found[]): number => commits.reduce((count, { events }) => count + events.length, 0)
