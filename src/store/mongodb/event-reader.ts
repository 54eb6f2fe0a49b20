/**
 * Reads the log and streams: commits whole, events by the piece. Pages are bounded, and no cursor stays open.
 *
 * A page of the log itself, forward, is one question: no commit is there before the one that it stands behind, so what a walk in
 * their order comes upon is all that there is up to where it ends. Any other read asks where the log ends first and looks no further, so a filter that goes
 * by several parts of an index at different moments cannot pass over what was appended meanwhile; what it asks next sees at
 * least as much, on whatever server (see `database.ts`).
 */
import type { StreamId } from '../../domain/stream.ts'
import { examinedBy, matches, readOptions } from '../page.ts'
import type { Range } from '../range.ts'
import type { Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../store.ts'
import { keyOf } from './batch-plan.ts'
import { type CommitDocument, type CommitHeader, eventsOf, headerFields, receiptOf } from './commit-document.ts'
import type { Database, Query } from './database.ts'
import type { Document } from './driver.ts'
import { byId, indexes } from './indexes.ts'
import type { LogEnd } from './log-end.ts'
import type { Streams } from './streams.ts'

/** How many commits one query brings at most. */
const pageMax = 1000
/** So many alternatives a filter by index has at most; with more, all is read and filtered here. */
const alternativesMax = 100

/** Which commits a read goes over, and by which place. */
interface Course {
  readonly place: '_id' | 'from'
  /** What all of them have, whatever the range. */
  readonly base: Document
  /** What the index narrows them down to. */
  readonly filter: Document
  readonly hint: Query['hint']
  /** The index that has all places of the base, whatever the filter. */
  readonly whole: Query['hint']
  /** Without a filter every place of a range is met, so a limit is a bound of the range too. */
  readonly isDense: boolean
  readonly passes: (event: StoredEvent) => boolean
}

/** A commit and those of its events that are asked for, in reading order. */
interface Found {
  readonly document: CommitDocument
  readonly events: readonly StoredEvent[]
}

/** A read with its bounds worked out. */
interface Reading {
  readonly from: number
  readonly to: number
  readonly limit: number
  readonly backward: boolean
  readonly signal: AbortSignal | undefined
}

export class EventReader {
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

  async findCommit({ aggregate, id }: StreamId, commitId: string): Promise<Receipt | undefined> {
    const [header] = await this.#database.find<CommitHeader>('commits', {
      ...{ filter: { aggregate, id, commitId }, limit: 1, projection: headerFields, hint: indexes.byCommit },
    })
    return header && receiptOf(header)
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    const base = { aggregate: stream.aggregate, id: stream.id }
    const course: Course = {
      ...{ place: 'from', base, filter: {}, hint: indexes.byStream, whole: indexes.byStream },
      ...{ isDense: true, passes: () => true },
    }
    const to = Math.min(range.to, Number.MAX_SAFE_INTEGER)
    return this.#read(course, { from: Math.max(range.from, 1), to, limit, backward, signal: options.signal })
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const { limit, backward } = readOptions(options)
    const course = courseOf(options)
    const [from, to] = [Math.max(range.from, 1), Math.min(range.to, Number.MAX_SAFE_INTEGER)]
    const reading = { from, to, limit, backward, signal: options.signal }
    if (course.isDense && !backward) {
      const events = await this.#read(course, reading)
      return { events, examined: examinedBy(events, range, reading, events.at(-1)?.position ?? from - 1) }
    }
    const head = await this.#end.read(options.signal)
    const isVain = options.types?.length === 0 || options.aggregates?.length === 0
    const events = isVain ? [] : await this.#read(course, { ...reading, to: Math.min(to, head + 1) })
    return { events, examined: examinedBy(events, range, reading, head) }
  }

  /** The events of a range: those of the commits that begin in it, and of the one that reaches into it from before. */
  async #read(course: Course, reading: Reading): Promise<readonly StoredEvent[]> {
    const { from, to, limit, backward } = reading
    if (from >= to || limit === 0) return []
    const commits = await this.#commits(course, reading)
    const events: StoredEvent[] = []
    let last: CommitDocument | undefined
    for (const { document, events: own } of commits) {
      if (events.length >= limit) break
      for (const event of own) events.push(event)
      if (own.length > 0) last = document
    }
    if (events.length > limit) events.length = limit
    if (last !== undefined && course.place === '_id' && !backward) {
      this.#end.learn(last, events.at(-1)!.position + 1)
    }
    const newest = (backward ? commits[0] : commits.at(-1))?.document
    if (newest !== undefined && course.place === 'from') {
      this.#streams.learn(keyOf(newest), receiptOf(newest).sequence)
    }
    return events
  }

  /** The commits of a range in reading order, at least as many as the limit asks for. */
  async #commits(course: Course, reading: Reading): Promise<readonly Found[]> {
    const { from, limit, backward } = reading
    let [before, within] = await Promise.all([this.#reachingInto(course, reading), this.#beginningIn(course, reading)])
    const isWhole = !backward || within.reduce((count, { events }) => count + events.length, 0) < limit
    const first = (backward ? within.at(-1) : within[0])?.document[course.place] ?? from
    // Of a range that began behind the end, the commit that reaches into it may have come between the two looks.
    if (course.isDense && isWhole && before.length === 0 && first > from) {
      before = await this.#reachingInto(course, reading)
    }
    return backward ? [...within, ...before] : [...before, ...within]
  }

  /** The commit that begins before a range and ends in it, if there is one. */
  async #reachingInto(course: Course, reading: Reading): Promise<readonly Found[]> {
    const { from, signal } = reading
    const begin = this.#knownBegin(course, from) ?? (await this.#findBegin(course, from, signal))
    if (begin === 0) return []
    const document = await this.#database.get<CommitDocument>('commits', BigInt(begin), signal)
    return document === undefined ? [] : [this.#open(document, course, reading)]
  }

  #knownBegin({ place, base }: Course, from: number): number | undefined {
    if (place === '_id') return this.#end.reachingInto(from)
    return from <= 1 || this.#streams.sequenceOf(keyOf(base as StreamId)) === from - 1 ? 0 : undefined
  }

  async #findBegin({ place, base, whole }: Course, from: number, signal: AbortSignal | undefined): Promise<number> {
    const query: Query = {
      ...{ filter: { ...base, [place]: { $lt: BigInt(from) } }, sort: { [place]: -1 }, limit: 1 },
      ...{ projection: headerFields, hint: whole },
    }
    const [header] = await this.#database.find<CommitHeader>('commits', query, signal)
    if (header === undefined) return 0
    if (place === 'from') this.#streams.learn(keyOf(header), receiptOf(header).sequence)
    return header[place] + header.count > from ? header._id : 0
  }

  /** The commits that begin in a range, as far as they are needed, by pages. */
  async #beginningIn(course: Course, reading: Reading): Promise<readonly Found[]> {
    const { place, base, filter, hint, isDense } = course
    const { limit, backward, signal } = reading
    let { from, to } = reading
    if (isDense && !backward) to = Math.min(to, from + limit)
    const found: Found[] = []
    for (let count = 0; from < to && count < limit; ) {
      const query: Query = {
        filter: { ...base, ...filter, [place]: { $gte: BigInt(from), $lt: BigInt(to) } },
        ...{ sort: { [place]: backward ? -1 : 1 }, limit: Math.min(limit - count, pageMax), hint },
      }
      const page = await this.#database.find<CommitDocument>('commits', query, signal)
      for (const document of page) {
        const commit = this.#open(document, course, reading)
        // A commit may have all that its filter asks for, but not in one event.
        count += commit.events.length
        found.push(commit)
      }
      if (page.length < query.limit!) break
      const last = page.at(-1)!
      if (backward) to = last[place]
      else from = last[place] + 1
    }
    return found
  }

  #open(document: CommitDocument, { place, passes }: Course, { from, to, backward }: Reading): Found {
    const start = Math.max(from - document[place], 0)
    const end = Math.min(to - document[place], document.count)
    const passing = eventsOf(document, this.#label).slice(start, end).filter(passes)
    return { document, events: backward ? passing.reverse() : passing }
  }
}

/** A course over the log by the index that narrows it down most: that of the tags, of the types, of the aggregates. */
function courseOf(options: ReadAllOptions): Course {
  const [tag, ...furtherTags] = options.tags ?? []
  const types = fewOf(options.types)
  const aggregates = fewOf(options.aggregates)
  const filter: Document = {
    ...(tag !== undefined && { tags: tag }),
    ...(furtherTags.length > 0 && { $and: furtherTags.map((tags) => ({ tags })) }),
    ...(types && { types }),
    ...(aggregates && { aggregate: aggregates }),
  }
  const narrowed = (tag && indexes.byTag) || (types && indexes.byType) || (aggregates && indexes.byAggregate)
  const isDense = tag === undefined && options.types === undefined && options.aggregates === undefined
  const passes = (event: StoredEvent) => matches(options, event)
  return { place: '_id', base: {}, filter, hint: narrowed || byId, whole: byId, isDense, passes }
}

/** What a field is to be among several values; undefined if it may be anything, or if they are too many for an index. */
function fewOf(values: readonly string[] | undefined): string | { readonly $in: readonly string[] } | undefined {
  if (values === undefined || values.length > alternativesMax) return undefined
  return values.length === 1 ? values[0] : { $in: values }
}
