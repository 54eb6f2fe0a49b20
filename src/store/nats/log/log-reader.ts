/**
 * Reads the log. Positions are the sequences of messages, so a page without filters is a range of messages, in which a
 * missing one shows. On a single server, events of some aggregates are filtered by the server. On several servers the
 * one that answers may be behind, and only a page without gaps shows how far it was; it is then filtered here.
 */
import { StoreError } from '../../../domain/error.ts'
import { elapsedMs, rest } from '../../../runtime/timers.ts'
import { checkBehind, examinedBy, matches, readOptions } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { LogPlace, Page, ReadAllOptions, StoredEvent } from '../../store.ts'
import type { Stored } from '../database/connection.ts'
import { Unfinished } from '../database/failure.ts'
import type { Database } from '../database/setup.ts'
import { endsCommit, type ReadEvent, readEvent } from './event-message.ts'

/** Bounds of one request, and of one page. */
const eventsMax = 1000
const bytesMax = 4_000_000
const pageBytesMax = 8_000_000
const examinedMax = 10_000
/** With more aggregates than these, everything is read. */
const filtersMax = 8
const behindMs = 5
/** How long a place is looked for that this process has not seen, in case the leader has just changed. */
const strangeMsMax = 200

interface Paging {
  readonly limit: number
  readonly backward: boolean
}

export class LogReader {
  readonly #database: Database
  readonly #label: string
  readonly #timeoutMs: number
  /** The greatest position that this process has seen. */
  #seen = 0

  constructor(database: Database, label: string, timeoutMs: number) {
    this.#database = database
    this.#label = label
    this.#timeoutMs = timeoutMs
  }

  async head(): Promise<number> {
    const { last } = await this.#database.log.state()
    this.#seen = Math.max(this.#seen, last)
    return last
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const paging = readOptions(options)
    const begun = await this.#begin(range, options, paging)
    const head = begun?.head ?? (await this.#headBehind(options.behind))
    options.signal?.throwIfAborted()
    const [from, to] = [Math.max(range.from, 1), Math.min(range.to, head + 1)]
    if (paging.limit === 0 || from >= to) {
      return this.#page([], range, { ...paging, head, isCut: false, behind: begun?.behind })
    }
    return paging.backward
      ? this.#backward(range, from, to, options, paging, head)
      : this.#forward(range, from, to, options, { ...paging, head, found: begun?.found })
  }

  /**
   * The usual page in one round trip: the event behind which it begins, its events, and how many there are after them.
   *
   * @returns nothing if the page has to be read in another way, or if the log is not as it was
   */
  async #begin(range: Range, options: ReadAllOptions, { limit, backward }: Paging): Promise<Begun | undefined> {
    const { log } = this.#database
    const { behind = { position: 0 }, aggregates } = options
    const from = Math.max(range.from, 1)
    const isBehind = behind.position > 0
    if (backward || limit === 0 || from >= range.to || (isBehind && behind.position !== from - 1)) return undefined
    if (this.#canFilter(aggregates)) return undefined
    const start = isBehind ? behind.position : from
    const count = Math.min(isPlain(options) ? limit : eventsMax, eventsMax, range.to - from) + (isBehind ? 1 : 0)
    const [last, { messages, pending }] = await Promise.all([
      log.isReplicated ? this.head() : undefined,
      log.read(start, { count, bytesMax }),
    ])
    if (messages[0]?.sequence !== start) return undefined
    const { events, bytes } = this.#decoded(messages, start)
    const first = events[0]!.event
    if (isBehind && (behind.checksum ?? first.checksum) !== first.checksum) return undefined
    const head = Math.max(last ?? 0, messages.at(-1)!.sequence + (last === undefined ? pending : 0))
    const found = { events: isBehind ? events.slice(1) : events, bytes, isAll: false }
    return { head, found, ...(isBehind && { behind: { position: start, checksum: first.checksum } }) }
  }

  /** Whether the server filters: it does if it is the only one. */
  #canFilter(aggregates: readonly string[] | undefined): aggregates is readonly string[] {
    return aggregates !== undefined && aggregates.length <= filtersMax && !this.#database.log.isReplicated
  }

  /** The end of the log, which has the place. @throws StoreError `LOG_REPLACED` */
  async #headBehind(behind: LogPlace | undefined): Promise<number> {
    const { log } = this.#database
    if (behind === undefined || behind.position === 0) return this.head()
    const start = elapsedMs()
    for (;;) {
      const [head, message] = await Promise.all([this.head(), log.at(behind.position)])
      const checksum = message === undefined ? 0 : readEvent(message, this.#label).event.checksum
      const isThere = message !== undefined && (behind.checksum ?? checksum) === checksum
      if (isThere) return Math.max(head, behind.position)
      // A server that was deposed and does not know it yet may not have the event.
      const waitMsMax = behind.position <= this.#seen ? this.#timeoutMs : strangeMsMax
      if (message === undefined && log.isReplicated && elapsedMs() - start < waitMsMax) {
        await rest(10 * behindMs)
        continue
      }
      checkBehind(behind, { store: this.#label, head: Math.min(head, message ? head : behind.position - 1), checksum })
      return head
    }
  }

  async #forward(
    range: Range,
    from: number,
    to: number,
    options: ReadAllOptions,
    { limit, head, found: begun }: Paging & { readonly head: number; readonly found: Found | undefined },
  ): Promise<Page> {
    const { aggregates, signal } = options
    const events: StoredEvent[] = []
    let [next, bytes, end] = [from, 0, to]
    let last: ReadEvent | undefined
    while (next < end && events.length < limit && bytes < pageBytesMax && next - from < examinedMax) {
      signal?.throwIfAborted()
      const wanted = Math.min(limit - events.length, eventsMax)
      const found = this.#canFilter(aggregates)
        ? await this.#matching(aggregates, next, wanted)
        : next === from && begun !== undefined && begun.events.length > 0
          ? begun
          : await this.#adjacent(next, Math.min(end - next, isPlain(options) ? wanted : eventsMax))
      for (const read of found.events) {
        // The rest of a commit that reaches over the end was stored with it.
        if (read.event.position >= end && !(end <= range.to - 1 && last !== undefined && isSameCommit(last, read))) {
          next = Math.max(next, end)
          break
        }
        next = read.event.position + 1
        end = Math.max(end, Math.min(next, range.to))
        last = read
        if (matches(options, read.event)) events.push(read.event)
        if (events.length >= limit) break
      }
      bytes += found.bytes
      if (events.length < limit && found.isAll) next = Math.max(next, end)
      if (last === undefined || next < end || endsCommit(last)) continue
      if (last.event.position >= head && (await this.#isUnfinished(last, from))) {
        next = firstOf(last)
        const whole = events.filter(({ position }) => position < next)
        return this.#page(whole, range, { limit, backward: false, head, isCut: true, next })
      }
      if (last.event.position < range.to - 1) {
        end = Math.min(last.event.position + last.count - last.index, range.to)
        next = last.event.position + 1
        if (events.length < limit) await rest(behindMs)
      }
    }
    const reached = Math.max(head, end - 1)
    return this.#page(events, range, { limit, backward: false, head: reached, isCut: next < end, next })
  }

  async #backward(
    range: Range,
    from: number,
    to: number,
    options: ReadAllOptions,
    { limit }: Paging,
    head: number,
  ): Promise<Page> {
    const events: StoredEvent[] = []
    let [next, bytes] = [to, 0]
    while (next > from && events.length < limit && bytes < pageBytesMax && to - next < examinedMax) {
      options.signal?.throwIfAborted()
      const count = Math.min(next - from, isPlain(options) ? limit - events.length : eventsMax, eventsMax)
      const part: ReadEvent[] = []
      for (let at = next - count; at < next; ) {
        const found = await this.#adjacent(at, next - at)
        part.push(...found.events)
        bytes += found.bytes
        at = part.at(-1)!.event.position + 1
      }
      const top = part.at(-1)!
      if (next === to && !endsCommit(top) && to > head && (await this.#isUnfinished(top, from))) {
        next = firstOf(top)
        continue
      }
      for (const { event } of part.reverse()) {
        next = event.position
        if (matches(options, event)) events.push(event)
        if (events.length >= limit) break
      }
    }
    return this.#page(events, range, { limit, backward: true, head, isCut: next > from, next: next - 1 })
  }

  /**
   * Whether a single server has only the beginning of the commit of the last event.
   *
   * @throws Unfinished if that commit is all that there is
   */
  async #isUnfinished(last: ReadEvent, from: number): Promise<boolean> {
    if (!(await this.#database.log.isUnfinished(last.event.position))) return false
    if (firstOf(last) <= from) throw new Unfinished(last.event.position)
    return true
  }

  async #page(
    events: readonly StoredEvent[],
    range: Range,
    { limit, backward, head, isCut, next = 0, behind }: PageEnd,
  ): Promise<Page> {
    const isFull = events.length >= limit
    const examined =
      isFull || !isCut ? examinedBy(events, range, { limit, backward }, head) : backward ? next + 1 : next - 1
    return { events, examined, checksum: await this.#checksumAt(examined, events, behind), isLast: !isFull && !isCut }
  }

  async #checksumAt(
    position: number,
    events: readonly StoredEvent[],
    behind: Required<LogPlace> | undefined,
  ): Promise<number> {
    const known = events.at(-1) ?? behind
    if (position === 0) return 0
    if (known?.position === position) return known.checksum
    const message = await this.#database.log.at(position)
    return message === undefined ? 0 : readEvent(message, this.#label).event.checksum
  }

  /** Events with adjacent positions: at least one, since the log has them. */
  async #adjacent(from: number, count: number): Promise<Found> {
    const { log } = this.#database
    const start = elapsedMs()
    for (;;) {
      let { messages } = await log.read(from, { count, bytesMax })
      if (messages.length === 0 && log.isReplicated) {
        const message = await log.at(from)
        if (message !== undefined) messages = [message]
      }
      if (messages.length > 0) return { ...this.#decoded(messages, from), isAll: false }
      if (!log.isReplicated || elapsedMs() - start > this.#timeoutMs) throw this.#missing(from)
      await rest(behindMs)
    }
  }

  /** Events of some aggregates in order, from the only server. */
  async #matching(aggregates: readonly string[], from: number, count: number): Promise<Found> {
    const { subjects, log } = this.#database
    const filters = [...new Set(aggregates.map((aggregate) => subjects.aggregate(aggregate)))]
    const parts = await Promise.all(filters.map((subject) => log.read(from, { subject, count, bytesMax })))
    let certain = Number.POSITIVE_INFINITY
    for (const { messages, pending } of parts) {
      if (pending > 0) certain = Math.min(certain, messages.at(-1)!.sequence)
    }
    const messages = parts
      .flatMap((part) => part.messages)
      .filter(({ sequence }) => sequence <= certain)
      .sort((a, b) => a.sequence - b.sequence)
    return { ...this.#decoded(messages), isAll: certain === Number.POSITIVE_INFINITY }
  }

  #decoded(messages: readonly Stored[], from?: number): Omit<Found, 'isAll'> {
    let bytes = 0
    const events = messages.map((message, i) => {
      if (from !== undefined && message.sequence !== from + i) throw this.#missing(from + i)
      bytes += message.data.length
      return readEvent(message, this.#label)
    })
    return { events, bytes }
  }

  #missing(position: number): StoreError {
    const facts = { store: this.#label, where: `position ${position}`, reason: 'the event is missing' }
    return new StoreError('STORE_CORRUPT', facts)
  }
}

/** The beginning of a page. */
interface Begun {
  readonly head: number
  readonly found: Found
  /** The event behind which the page begins. */
  readonly behind?: Required<LogPlace>
}

/** How a page ended. */
interface PageEnd extends Paging {
  readonly head: number
  /** Whether there is more in the range; `next` is then the next position to look at. */
  readonly isCut: boolean
  readonly next?: number
  readonly behind?: Required<LogPlace> | undefined
}

interface Found {
  readonly events: readonly ReadEvent[]
  readonly bytes: number
  /** Whether the log had no more of them. */
  readonly isAll: boolean
}

/** The position of the first event of the same commit. */
const firstOf = ({ event, index }: ReadEvent): number => event.position - index

const isPlain = ({ types, aggregates, tags }: ReadAllOptions): boolean =>
  types === undefined && aggregates === undefined && tags === undefined

const isSameCommit = ({ event: a }: ReadEvent, { event: b }: ReadEvent): boolean =>
  a.commitId === b.commitId && a.stream.id === b.stream.id && a.stream.aggregate === b.stream.aggregate
