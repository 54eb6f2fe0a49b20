/**
 * Reads the log on the caller's thread, a bounded number of rows at a time: between them it lets go of the database and of
 * the event loop. What a read may see is fixed when it begins (the head), and since the log only grows at its end, the
 * pages of a long read fit together as if it had been one transaction.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Json, JsonObject } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import { examinedBy, readOptions } from '../page.ts'
import type { Range } from '../range.ts'
import type { Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../store.ts'
import { agree, indexed, type Positions, union } from './positions.ts'
import { allRows, oneRow, prepareAll, type StatementSet } from './statement-set.ts'
import { type ReadingName, readingIn } from './statements.ts'

/** Rows read at once: so many at first, then as many as have about so many characters. */
const rowsFirst = 200
const rowsMax = 1000
const charactersMax = 1_000_000
/** Steps over the indexes between two looks at the event loop. */
const stepsMax = 2000
/** Where at least every so many-th event matches, looking at each is cheaper than going by the indexes. */
const scanFactor = 3
const streamsMax = 100_000

type EventRow = readonly [
  position: number,
  stream: number,
  sequence: number,
  kind: number,
  revision: number,
  recordedAt: number,
  commitId: string,
  data: string,
  metadata: string,
  tags: string,
]

interface Kind {
  readonly aggregate: string
  readonly type: string
}

/** A read as it goes on: what is found, and what is left to look at. */
interface Progress {
  readonly events: StoredEvent[]
  readonly from: number
  readonly to: number
  readonly limit: number
  readonly backward: boolean
  readonly signal: AbortSignal | undefined
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

export class EventReader {
  readonly #statements: StatementSet<ReadingName>
  readonly #pause: () => Promise<void>
  /** Numbers are given once and for all, so these never grow stale. */
  readonly #streams = new Map<number, StreamId>()
  readonly #kinds = new Map<number, Kind>()
  #kindLast = 0

  /** @param pause lets the event loop turn, and throws if the store was closed meanwhile */
  constructor(database: DatabaseSync, prefix: string, pause: () => Promise<void>) {
    this.#statements = prepareAll(database, readingIn(prefix))
    this.#pause = pause
  }

  head(): number {
    return oneRow<[number | null]>(this.#statements.head)?.[0] ?? 0
  }

  findCommit(stream: StreamId, commitId: string): Receipt | undefined {
    const number = this.#streamNumber(stream)
    const row = number && oneRow<[number, number, number]>(this.#statements.commit, number, commitId)
    if (row === undefined || row === 0) return undefined
    const [sequence, position, count] = row
    return { sequence: sequence + count - 1, position: position + count - 1, count }
  }

  async readStream(stream: StreamId, range: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    const number = this.#streamNumber(stream)
    if (number === undefined) return []
    const statement = backward ? this.#statements.streamBackward : this.#statements.streamForward
    const to = Math.min(range.to, Number.MAX_SAFE_INTEGER)
    const progress = { events: [], from: Math.max(range.from, 1), to, limit, backward, signal: options.signal }
    await this.#readRows(progress, 'sequence', (from, end, count) =>
      allRows<EventRow>(statement, number, from, end, count),
    )
    return progress.events
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const { limit, backward } = readOptions(options)
    const head = this.head()
    const to = Math.min(range.to, head + 1)
    const progress = { events: [], from: Math.max(range.from, 1), to, limit, backward, signal: options.signal }
    const kinds = this.#kindsOf(options)
    if (options.tags !== undefined && options.tags.length > 0) await this.#readIndexed(progress, kinds, options.tags)
    else if (kinds === undefined) await this.#readAny(progress)
    else if (kinds.length > 0) await this.#readKinds(progress, kinds)
    return { events: progress.events, examined: examinedBy(progress.events, range, { limit, backward }, head) }
  }

  #readAny(progress: Progress): Promise<void> {
    const statement = progress.backward ? this.#statements.allBackward : this.#statements.allForward
    return this.#readRows(progress, 'position', (from, to, count) => allRows<EventRow>(statement, from, to, count))
  }

  /** Looks at the next few events one by one, which suffices where matches are common; then goes by the indexes. */
  async #readKinds(progress: Progress, kinds: readonly number[]): Promise<void> {
    const { from, to, limit, backward, events } = progress
    const window = Math.min(limit, rowsMax) * scanFactor
    const statement = backward ? this.#statements.kindsBackward : this.#statements.kindsForward
    const near = backward ? { from: Math.max(from, to - window), to } : { from, to: Math.min(to, from + window) }
    const list = JSON.stringify(kinds)
    await this.#readRows({ ...progress, ...near }, 'position', (from, to, count) =>
      allRows<EventRow>(statement, from, to, list, count),
    )
    if (events.length >= limit) return
    await this.#readIndexed({ ...progress, ...(backward ? { to: near.from } : { from: near.to }) }, kinds, [])
  }

  /** Reads pages of rows until the limit or the end of the range, and lets others run in between. */
  async #readRows(
    { events, from, to, limit, backward, signal }: Progress,
    place: 'sequence' | 'position',
    read: (from: number, to: number, count: number) => readonly EventRow[],
  ): Promise<void> {
    let bounds = { from, to }
    let size = rowsFirst
    let unpaused = 0
    while (bounds.from < bounds.to && events.length < limit) {
      const count = Math.min(limit - events.length, size)
      const rows = read(bounds.from, bounds.to, count)
      let characters = 0
      for (const row of rows) {
        events.push(this.#event(row))
        characters += row[7].length
      }
      if (rows.length < count || events.length >= limit) return
      const last = events.at(-1)![place]
      bounds = backward ? { from, to: last } : { from: last + 1, to }
      size = Math.min(rowsMax, Math.ceil((count * charactersMax) / (characters + 1)))
      unpaused += Math.max(count / rowsMax, characters / charactersMax)
      if (unpaused < 1) continue
      unpaused = 0
      await this.#pause()
      signal?.throwIfAborted()
    }
  }

  /** Reads the events whose positions the indexes of all the tags, and of one of the kinds, agree on. */
  async #readIndexed(
    { events, from, to, limit, backward, signal }: Progress,
    kinds: readonly number[] | undefined,
    tags: readonly string[],
  ): Promise<void> {
    const lists = tags.map((tag) => this.#positions('tag', tag, from, to, backward))
    if (kinds !== undefined) {
      lists.push(
        union(
          kinds.map((kind) => this.#positions('kind', kind, from, to, backward)),
          backward,
        ),
      )
    }
    let next = backward ? to - 1 : from
    for (let steps = 1; next >= from && next < to && events.length < limit; steps++) {
      const candidate = agree(lists, next)
      if (candidate === undefined) return
      const { position, agreed } = candidate
      if (agreed) events.push(this.#event(oneRow<EventRow>(this.#statements.one, position)!))
      next = agreed ? position + (backward ? -1 : 1) : position
      if (steps % stepsMax !== 0) continue
      await this.#pause()
      signal?.throwIfAborted()
    }
  }

  #positions(index: 'tag' | 'kind', key: string | number, from: number, to: number, backward: boolean): Positions {
    const statement = this.#statements[`${index}${backward ? 'Backward' : 'Forward'}`]
    const read = (at: number, count: number) =>
      backward
        ? allRows<[number]>(statement, key, from, at + 1, count)
        : allRows<[number]>(statement, key, at, to, count)
    return indexed((at, count) => read(at, count).map(([position]) => position), backward)
  }

  /** The numbers of the kinds that the filters let through; undefined if they let all through. */
  #kindsOf({ types, aggregates }: ReadAllOptions): readonly number[] | undefined {
    if (types === undefined && aggregates === undefined) return undefined
    this.#learnKinds()
    return [...this.#kinds]
      .filter(([, kind]) => types === undefined || types.includes(kind.type))
      .filter(([, kind]) => aggregates === undefined || aggregates.includes(kind.aggregate))
      .map(([number]) => number)
  }

  #learnKinds(): void {
    const rows = allRows<[number, string, string]>(this.#statements.kindsBehind, this.#kindLast)
    for (const [number, aggregate, type] of rows) {
      this.#kinds.set(number, { aggregate, type })
      this.#kindLast = number
    }
  }

  #event(row: EventRow): StoredEvent {
    const [position, stream, sequence, kind, revision, recordedAt, commitId, data, metadata, tags] = row
    return {
      stream: this.#streams.get(stream) ?? this.#learnStream(stream),
      type: this.#type(kind),
      revision,
      data: JSON.parse(data) as Json,
      metadata: metadata === '{}' ? noMetadata : (JSON.parse(metadata) as JsonObject),
      tags: tags === '[]' ? noTags : (JSON.parse(tags) as readonly string[]),
      sequence,
      position,
      recordedAt,
      commitId,
    }
  }

  #type(kind: number): string {
    const known = this.#kinds.get(kind)
    if (known !== undefined) return known.type
    this.#learnKinds()
    return this.#kinds.get(kind)!.type
  }

  #streamNumber({ aggregate, id }: StreamId): number | undefined {
    return oneRow<[number]>(this.#statements.streamNumber, aggregate, id)?.[0]
  }

  #learnStream(number: number): StreamId {
    if (this.#streams.size >= streamsMax) this.#streams.clear()
    const [aggregate, id] = oneRow<[string, string]>(this.#statements.streamId, number)!
    const stream: StreamId = Object.freeze({ aggregate, id })
    this.#streams.set(number, stream)
    return stream
  }
}
