/**
 * Reads streams. The end comes from the leader, or from a server that is known to be as far (`stream.ts`). The events
 * before it never change, so any server may send them; what one server does not have yet, the leader sends.
 */
import { StoreError } from '../../../domain/error.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { elapsedMs, rest } from '../../../runtime/timers.ts'
import { readOptions } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { ReadOptions, Receipt, StoredEvent } from '../../store.ts'
import type { Stored } from '../database/connection.ts'
import type { Database } from '../database/setup.ts'
import { endsCommit, placeOf, type ReadEvent, readEvent } from './event-message.ts'
import { type LinkedPlace, type Place, towards } from './links.ts'
import { addIds, type End, endOf, type Ids, keyOf, noEnd, type Streams } from './streams.ts'

/** Bounds of one request. */
const eventsMax = 1000
const bytesMax = 4_000_000
const behindMs = 5
const behindTriesMax = 3

export class StreamReader {
  readonly #database: Database
  readonly #label: string
  readonly #streams: Streams
  readonly #timeoutMs: number

  constructor(database: Database, label: string, streams: Streams, timeoutMs: number) {
    this.#database = database
    this.#label = label
    this.#streams = streams
    this.#timeoutMs = timeoutMs
  }

  /** Where streams end, by key. Every commit that was acknowledged before counts. */
  async ends(streams: readonly StreamId[]): Promise<ReadonlyMap<string, End>> {
    const { subjects, log } = this.#database
    const wanted = new Map(streams.map((stream) => [subjects.stream(stream), stream]))
    const ends = new Map<string, End>()
    const start = elapsedMs()
    for (;;) {
      const last = await log.lastOf([...wanted.keys()])
      for (const [subject, stream] of wanted) {
        const message = last.get(subject)
        const read = message && this.#checked(message, stream)
        // The servers of a cluster make the messages of a batch visible one after the other, at once.
        const isWhole = read === undefined || endsCommit(read)
        if (!isWhole && !(await log.isUnfinished(message!.sequence))) continue
        const end = read === undefined ? noEnd : isWhole ? endOf(read) : await this.#endBefore(stream, read)
        ends.set(keyOf(stream), end)
        this.#streams.setEnd(keyOf(stream), end)
        wanted.delete(subject)
      }
      if (wanted.size === 0) return ends
      if (elapsedMs() - start > this.#timeoutMs) {
        const where = `the end of the stream ${JSON.stringify([...wanted.values()][0])}`
        throw new StoreError('STORE_CORRUPT', { store: this.#label, where, reason: 'a commit is incomplete' })
      }
      await rest(behindMs)
    }
  }

  /** The end of a stream before a commit of which the server has only the beginning. */
  async #endBefore(stream: StreamId, { event, index, links }: ReadEvent): Promise<End> {
    if (event.sequence - index === 1) return noEnd
    const first = index === 0 ? { links } : await this.#at(stream, event.position - index)
    return endOf(await this.#at(stream, first.links[0]!))
  }

  async #at(stream: StreamId, position: number): Promise<ReadEvent> {
    const message = await this.#database.log.at(position)
    if (message !== undefined) return this.#checked(message, stream)
    const facts = { store: this.#label, where: `position ${position}`, reason: 'the event is missing' }
    throw new StoreError('STORE_CORRUPT', facts)
  }

  async end(stream: StreamId): Promise<End> {
    return (await this.ends([stream])).get(keyOf(stream))!
  }

  async readStream(stream: StreamId, { from, to }: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    if (limit === 0 || Math.max(from, 1) >= to) return []
    const end = await this.end(stream)
    const [least, most] = [Math.max(from, 1), Math.min(to - 1, end.sequence)]
    const first = backward ? Math.max(least, most - limit + 1) : least
    const last = backward ? most : Math.min(most, least + limit - 1)
    if (first > last) return []
    const events: StoredEvent[] = []
    for await (const page of this.pages(stream, first, last, end)) {
      options.signal?.throwIfAborted()
      for (const { event } of page) events.push(event)
    }
    this.#streams.setPlace(keyOf(stream), placeAfter(events.at(-1)!))
    return backward ? events.reverse() : events
  }

  /** The receipt of a commit, if its stream has it. */
  async findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    const end = await this.end(stream)
    return (await this.ids(stream, end)).receipts.get(commitId)
  }

  /**
   * All commits of a stream up to its end. Only the events behind those that are known already are read, so this costs
   * something once for each stream, and never more because the log has grown.
   */
  async ids(stream: StreamId, end: End): Promise<Ids> {
    const key = keyOf(stream)
    const known = this.#streams.idsOf(key)
    if (end.sequence === 0) return { receipts: new Map(), upTo: noEnd }
    const isSame = known !== undefined && known.upTo.sequence <= end.sequence && (await this.#has(stream, known.upTo))
    const ids: Ids = isSame ? known : { receipts: new Map(), upTo: noEnd }
    if (ids.upTo.sequence < end.sequence) {
      this.#streams.setPlace(key, placeAfter(ids.upTo))
      for await (const page of this.pages(stream, ids.upTo.sequence + 1, end.sequence, end)) addIds(ids, page)
    }
    this.#streams.setIds(key, ids)
    return ids
  }

  /** Events of a stream with these sequences, which it has, in pages. */
  async *pages(stream: StreamId, first: number, last: number, end: End): AsyncIterable<readonly ReadEvent[]> {
    const { subjects, log } = this.#database
    const subject = subjects.stream(stream)
    let { position, sequence } = await this.#find(stream, first, end)
    for (let tries = 0; sequence <= last; ) {
      const count = Math.min(last - sequence + 1, eventsMax)
      let { messages } = await log.read(position, { subject, count, bytesMax })
      if (messages.length === 0) {
        if (++tries > behindTriesMax) {
          const next = await log.next(position, subject)
          if (next === undefined) throw this.#missing(stream, sequence)
          messages = [next]
        } else {
          if (!log.isReplicated) throw this.#missing(stream, sequence)
          await rest(behindMs)
          continue
        }
      }
      const page: ReadEvent[] = []
      for (const message of messages) {
        const read = this.#checked(message, stream)
        if (read.event.sequence !== sequence) throw this.#missing(stream, sequence)
        page.push(read)
        sequence++
      }
      position = page.at(-1)!.event.position + 1
      if (sequence > end.sequence && position !== end.position + 1) throw this.#missing(stream, sequence)
      yield page
    }
  }

  /** A position from which the stream's next event has the sequence. */
  async #find(stream: StreamId, sequence: number, end: End): Promise<Place> {
    const place = this.#streams.placeIn(keyOf(stream))
    if (sequence <= 1) return { sequence: 1, position: 1 }
    if (place?.sequence === sequence && place.position <= end.position) return place
    let at: LinkedPlace = end
    while (at.sequence > sequence) {
      const next = towards(at, sequence)
      const message = await this.#database.log.at(next.position)
      if (message === undefined) throw this.#missing(stream, next.sequence)
      const read = this.#checked(message, stream)
      if (read.event.sequence !== next.sequence) throw this.#missing(stream, next.sequence)
      at = placeOf(read)
    }
    return at
  }

  /** Whether a stream still has an event that was read from it. */
  async #has(stream: StreamId, { position, checksum }: End): Promise<boolean> {
    if (position === 0) return true
    const known = this.#streams.endOf(keyOf(stream))
    if (known?.position === position) return known.checksum === checksum
    const message = await this.#database.log.at(position)
    return message !== undefined && readEvent(message, this.#label).event.checksum === checksum
  }

  #checked(message: Stored, stream: StreamId): ReadEvent {
    const read = readEvent(message, this.#label)
    const { aggregate, id } = read.event.stream
    if (aggregate === stream.aggregate && id === stream.id) return read
    const reason = 'the event belongs to another stream'
    throw new StoreError('STORE_CORRUPT', { store: this.#label, where: `position ${message.sequence}`, reason })
  }

  #missing({ aggregate, id }: StreamId, sequence: number): StoreError {
    const where = `sequence ${sequence} of ${aggregate} ${JSON.stringify(id)}`
    return new StoreError('STORE_CORRUPT', { store: this.#label, where, reason: 'the event is missing' })
  }
}

const placeAfter = ({ sequence, position }: Place): Place => ({ sequence: sequence + 1, position: position + 1 })
