/**
 * Reads the log, a bounded page by each round trip. What a read may see is fixed by its first page (the head), and since the log
 * only grows at its end, the pages of a long read fit together as if they had been one transaction.
 *
 * A filtered read first looks at the next few events one by one, which is all there is to do at the tail and where matches are
 * common; from there it goes by the indexes over kinds and tags. So it costs what it finds, and never the log.
 */
import type { StreamId } from '../../domain/stream.ts'
import { examinedBy, readOptions } from '../page.ts'
import type { Range } from '../range.ts'
import type { Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../store.ts'
import { arrayText, isText } from './binary-arrays.ts'
import type { Parameter, Row } from './database.ts'
import { type EventPage, type Kind, pageOf } from './event-page.ts'
import type { EventStatements } from './event-statements.ts'
import type { Search } from './read-functions.ts'

/** Bounds of a page. An event may be larger than the second, and then has a page of its own. */
const pageEventsMax = 2000
const pageCharactersMax = 2_000_000
/** Where at least every so many-th event matches, looking at each is cheaper than going by the indexes. */
const scanFactor = 3
const scanMin = 300

export type RunQuery = (text: string, values: readonly Parameter[]) => Promise<readonly Row[]>

/** A read as it goes on: what is found, and what is left to look at. */
interface Progress {
  readonly events: StoredEvent[]
  readonly limit: number
  readonly backward: boolean
  readonly signal: AbortSignal | undefined
  from: number
  to: number
}

/** What to look for, and the parameters that say so. */
interface Sought {
  readonly search: Search
  readonly values: readonly Parameter[]
}

export class EventReader {
  readonly #run: RunQuery
  readonly #statements: EventStatements
  /** Numbers are given once and for all, so these never grow stale. */
  readonly #kinds = new Map<number, Kind>()

  constructor(run: RunQuery, statements: EventStatements) {
    this.#run = run
    this.#statements = statements
  }

  async head(): Promise<number> {
    const [row] = await this.#run(this.#statements.head, [])
    return Number(row![0])
  }

  /**
   * A commit that is there is acknowledged by whoever asks. Where its own transaction ended before the standby had it, it is visible
   * all the same, so it is asked for once more in a way that waits for the standby.
   */
  async findCommit({ aggregate, id }: StreamId, commitId: string): Promise<Receipt | undefined> {
    if (![aggregate, id, commitId].every(isText)) return undefined
    const values = [aggregate, id, commitId]
    if ((await this.#run(this.#statements.commit, values)).length === 0) return undefined
    const [row] = await this.#run(this.#statements.durableCommit, values)
    if (row === undefined) return undefined
    const [sequence, position, count] = row.map(Number) as [number, number, number]
    return { sequence: sequence + count - 1, position: position + count - 1, count }
  }

  async readStream(stream: StreamId, range: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    if (!isText(stream.aggregate) || !isText(stream.id)) return []
    const { from, to } = bounds(range)
    const progress: Progress = { events: [], from, to, limit, backward, signal: options.signal }
    const own: StreamId = Object.freeze({ aggregate: stream.aggregate, id: stream.id })
    const sought = { search: 'stream' as const, values: [own.aggregate, own.id] }
    while (isUnderWay(progress)) {
      if ((await this.#readPage(progress, sought, 'sequence', own)).isLast) break
    }
    return progress.events
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const { limit, backward } = readOptions(options)
    const { from, to } = bounds(range)
    const progress: Progress = { events: [], from, to, limit, backward, signal: options.signal }
    const wide = wideSearch(options)
    let sought = wide
    let head: number | undefined
    if (wide.search !== 'any') {
      const window = Math.max(Math.min(limit, pageEventsMax) * scanFactor, scanMin)
      sought = { search: 'near', values: [...filterValues(options), window] }
      while (isUnderWay(progress)) {
        const { from, to } = progress
        const page = await this.#readPage(progress, sought, 'position')
        head ??= page.head
        progress.to = Math.min(progress.to, head + 1)
        if (!page.isLast) continue
        if (backward) progress.to = Math.max(from, Math.min(to, head + 1) - window)
        else progress.from = from + window
        break
      }
    }
    while (isUnderWay(progress)) {
      const page = await this.#readPage(progress, wide, 'position')
      head ??= page.head
      progress.to = Math.min(progress.to, head + 1)
      if (page.isLast) break
    }
    const { events } = progress
    return { events, examined: examinedBy(events, range, { limit, backward }, head ?? (await this.head())) }
  }

  /** Reads the next page of a read, and moves it on. `isLast` says that nothing is left where the statement looked. */
  async #readPage(
    progress: Progress,
    { search, values }: Sought,
    place: 'sequence' | 'position',
    stream?: StreamId,
  ): Promise<{ readonly head: number; readonly isLast: boolean }> {
    progress.signal?.throwIfAborted()
    const { events, backward } = progress
    const count = Math.min(progress.limit - events.length, pageEventsMax)
    const page = await this.#ask(search, backward, [progress.from, progress.to, count, pageCharactersMax, ...values])
    progress.signal?.throwIfAborted()
    if (page.kinds.some((kind) => !this.#kinds.has(kind))) await this.#learnKinds()
    const read = page.events((number) => this.#kinds.get(number)!, stream)
    for (const event of read) events.push(event)
    const last = read.at(-1)
    if (last !== undefined) {
      if (backward) progress.to = last[place]
      else progress.from = last[place] + 1
    }
    return { head: page.head, isLast: read.length === page.found && page.found < count }
  }

  async #ask(search: Search, backward: boolean, values: readonly Parameter[]): Promise<EventPage> {
    const [row] = await this.#run(this.#statements[backward ? 'backward' : 'forward'][search], values)
    return pageOf(row!)
  }

  async #learnKinds(): Promise<void> {
    for (const [number, aggregate, type] of await this.#run(this.#statements.kinds, [])) {
      this.#kinds.set(Number(number), { aggregate: aggregate!, type: type! })
    }
  }
}

/** The bounds of a range as the database can take them; positions and sequences begin at 1. */
const bounds = ({ from, to }: Range): Range => ({ from: Math.max(from, 1), to: Math.min(to, Number.MAX_SAFE_INTEGER) })

const isUnderWay = ({ events, limit, from, to }: Progress): boolean => events.length < limit && from < to

/** What no text in the database can be, nothing is. */
const arrayOrNull = (values: readonly string[] | undefined): string | null =>
  values === undefined ? null : arrayText(values.filter(isText))

const filterValues = ({ types, aggregates, tags }: ReadAllOptions): readonly Parameter[] => [
  arrayOrNull(tags?.every(isText) === false ? [] : types),
  arrayOrNull(aggregates),
  tags === undefined || tags.length === 0 ? null : arrayText(tags.filter(isText)),
]

/** How to look for what the filters let through, in the whole of a range. */
function wideSearch(options: ReadAllOptions): Sought {
  const { types, aggregates, tags = [] } = options
  const byKind = types !== undefined || aggregates !== undefined || !tags.every(isText)
  const [typesText, aggregatesText, tagsText] = filterValues(options) as [Parameter, Parameter, Parameter]
  if (tags.length > 1 || (tags.length === 1 && byKind)) {
    return { search: 'agreed', values: [typesText, aggregatesText, tagsText] }
  }
  if (tags.length === 1) return { search: 'tag', values: [tags[0]!] }
  return byKind ? { search: 'kinds', values: [typesText, aggregatesText] } : { search: 'any', values: [] }
}
