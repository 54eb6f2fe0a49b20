/**
 * Reads the log. Each round trip reads a bounded page. The first page fixes what a read may see (the head). The log
 * only grows at its end, so the pages of a long read fit together as if they were read in one transaction.
 *
 * A filtered read first looks at the next few events one by one. That is enough at the end of the log and where matches
 * are common. After that it uses the indexes over kinds and tags. The positions that it passes over are counted, each
 * once while the store is open. This shows a missing event that no index names any more.
 */

import type { StreamId } from '../../../domain/stream.ts'
import { checkBehind, examinedBy, readOptions } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../../store.ts'
import { arrayText, isText } from '../database/binary-arrays.ts'
import { unsigned } from '../database/checksum.ts'
import type { Parameter, RunQuery } from '../database/database.ts'
import { damagedAt, isNotPermitted, isReadOnly, storeNamed } from '../database/failure.ts'
import type { Search } from '../database/read-functions.ts'
import { lockWaitOf } from '../database/writing.ts'
import type { Settings } from '../options.ts'
import { Damage, type EventPage, type Kind, pageOf } from './event-page.ts'
import type { EventStatements } from './event-statements.ts'
import { type Looked, lookedAt, type Part } from './part.ts'
import { type ReceiptRow, receiptOf } from './receipt.ts'
import { WholeSpans } from './whole-spans.ts'

/** Bounds of a page. An event with more characters has a page of its own. */
const pageEventsMax = 2000
const pageCharactersMax = 2_000_000
/** Bounds of a read of the log. The read ends there, and its reader continues from there. */
const readCharactersMax = 16_000_000
const unfinishedMax = 20
/** If at least one event in `scanFactor` matches, looking at each event is cheaper than using the indexes. */
const scanFactor = 3
const scanMin = 300
/**
 * The number of positions that one statement counts: 10 ms of work, and up to 100 ms in a table that was not vacuumed
 * yet.
 */
const countedMax = 100_000

/** The state of a read: what is found, and what is left to look at. */
interface Progress {
  readonly events: StoredEvent[]
  readonly limit: number
  readonly backward: boolean
  readonly signal: AbortSignal | undefined
  /** The filters that each event must match. */
  readonly filters: ReadAllOptions
  /** The first page, which says where the log ends. */
  log: EventPage | undefined
  /** The number of events to ask for at once. It is lower if they turned out to be too large for a page. */
  countMax: number
  from: number
  to: number
  /** The number of characters that were read, and of statements that ended before they had looked at everything. */
  characters: number
  unfinished: number
}

/** A search and its parameters. */
interface Sought {
  readonly search: Search
  readonly values: readonly Parameter[]
  /** The number of positions to look at, if each is looked at and no index is used. */
  readonly window?: number
}

export class EventReader {
  readonly #run: RunQuery
  readonly #statements: EventStatements
  readonly #settings: Settings
  /** The kinds by their numbers. A number never changes, so this is never out of date. */
  readonly #kinds = new Map<number, Kind>()
  readonly #whole = new WholeSpans()
  /** Whether a row could not be locked, because this process may only read. */
  #mayNotLock = false

  constructor(run: RunQuery, statements: EventStatements, settings: Settings) {
    this.#run = run
    this.#statements = statements
    this.#settings = settings
  }

  async head(): Promise<number> {
    const [row] = await this.#run(this.#statements.head, [])
    return Number(row![0])
  }

  /**
   * A read that finds a commit acknowledges it. If the commit's own transaction ended before the standby had it, it is
   * visible anyway, so the read asks again in a way that waits for the standby. That locks a row, which a role that may
   * only read must not do, and nobody in a read-only database. If there is no standby to wait for, what is visible is
   * durable, and they get it.
   */
  async findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    const { aggregate, id } = stream
    if (![aggregate, id, commitId].every(isText)) return undefined
    const values = [aggregate, id, commitId]
    if ((await this.#run(this.#statements.commit, values)).length === 0) return undefined
    const { schema, timeoutMs, mayLoseOnPowerFailure } = this.#settings
    const writing = [!mayLoseOnPowerFailure, lockWaitOf(timeoutMs)]
    const visible = () => this.#run(this.#statements.commit, values)
    const durable = () => this.#run(this.#statements.durableCommit, [...writing, ...values])
    // A connection on which a write was refused is not used again, so that is not tried for each commit.
    const [row] = await (this.#mayNotLock && !(await this.#hasStandby())
      ? visible()
      : durable().catch(async (error) => {
          this.#mayNotLock = isNotPermitted(error) || isReadOnly(error)
          if (!this.#mayNotLock || (await this.#hasStandby())) throw error
          return visible()
        }))
    if (row === undefined) return undefined
    const found = [...row.slice(0, -1).map(Number), row.at(-1)] as unknown as ReceiptRow
    return receiptOf(schema, stream, commitId, found)
  }

  async #hasStandby(): Promise<boolean> {
    const [row] = await this.#run(this.#statements.standbys, [])
    return row![0] !== ''
  }

  async readStream(stream: StreamId, range: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    if (!isText(stream.aggregate) || !isText(stream.id)) return []
    const progress = beginning(range, limit, backward, options)
    const own: StreamId = Object.freeze({ aggregate: stream.aggregate, id: stream.id })
    const sought = { search: 'stream' as const, values: [own.aggregate, own.id] }
    while (isUnderWay(progress)) {
      if (await this.#readPage(progress, sought, { behind: 0, stream: own })) break
    }
    return progress.events
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const { limit, backward } = readOptions(options)
    const behind = options.behind?.position ?? 0
    const progress = beginning(range, limit, backward, options)
    const wide = wideSearch(options)
    if (wide.search !== 'any' && isUnderWay(progress)) {
      const window = Math.max(Math.min(limit, pageEventsMax) * scanFactor, scanMin)
      const near: Sought = { search: 'near', values: [...filterValues(options), window], window }
      while (isUnderWay(progress) && !isEnough(progress)) if (await this.#readPage(progress, near, { behind })) break
    }
    let isLast = false
    while (!isLast && isUnderWay(progress) && !isEnough(progress)) {
      isLast = await this.#readPage(progress, wide, { behind })
    }
    return this.#finish(progress, range, options, isLast)
  }

  /** Makes the page: its events, and how far it has looked. @throws StoreError `LOG_REPLACED` */
  async #finish(progress: Progress, range: Range, options: ReadAllOptions, isDone: boolean): Promise<Page> {
    const { events, limit, backward, log, from, to } = progress
    const { behind } = options
    const { head, checksum: known = 0 } =
      log === undefined ? await this.#checksumAt(behind?.position ?? 0) : { head: log.last, checksum: log.behind }
    if (behind !== undefined) {
      checkBehind(behind, { store: storeNamed(this.#settings.schema), head, checksum: known })
    }
    const isCut = !isDone && isUnderWay(progress)
    const examined = isCut ? (backward ? to : from - 1) : examinedBy(events, range, { limit, backward }, head)
    const checksum = await this.#checksumOf(examined, head, events, range, log)
    return { events, examined, checksum, isLast: !isCut && events.length < limit }
  }

  async #checksumOf(
    examined: number,
    head: number,
    events: readonly StoredEvent[],
    { from, to }: Range,
    log: EventPage | undefined,
  ): Promise<number> {
    if (examined < 1 || examined > head) return 0
    const last = events.at(-1)
    if (last?.position === examined) return last.checksum
    const isEnd = log !== undefined && (examined === Math.min(to - 1, head) || examined === from)
    const checksum = isEnd ? log.end : (await this.#checksumAt(examined)).checksum
    if (checksum === undefined) throw this.#damage(`position ${examined}`, 'it is missing')
    return checksum
  }

  async #checksumAt(position: number): Promise<{ readonly head: number; readonly checksum: number | undefined }> {
    const [row] = await this.#run(this.#statements.checksum, [position])
    const [head, checksum] = row!
    return { head: Number(head), checksum: checksum === null ? undefined : unsigned(Number(checksum)) }
  }

  /** Reads the next page of a read, and moves it on. @returns whether nothing is left where the statement looked */
  async #readPage(
    progress: Progress,
    sought: Sought,
    { behind, stream }: { readonly behind: number; readonly stream?: StreamId },
  ): Promise<boolean> {
    progress.signal?.throwIfAborted()
    const { events, backward, from, to } = progress
    const { search } = sought
    const count = Math.min(progress.limit - events.length, progress.countMax)
    const wanted = progress.log === undefined ? behind : 0
    const values = [from, to, count, pageCharactersMax, wanted, ...sought.values]
    const [row] = await this.#run(this.#statements[backward ? 'backward' : 'forward'][search], values)
    progress.signal?.throwIfAborted()
    const where = stream === undefined ? 'position' : `${stream.aggregate} ${JSON.stringify(stream.id)}, sequence`
    try {
      const page = pageOf(row!)
      if (page.kinds.some((kind) => !this.#kinds.has(kind))) await this.#learnKinds()
      const read = page.events((number) => this.#kinds.get(number), stream)
      const part: Part = { from, to, backward, count, search, window: sought.window }
      const looked = lookedAt(part, page, read, progress.filters)
      if (stream === undefined) await this.#checkPassed(looked, progress.signal)
      for (const event of read) events.push(event)
      progress.log ??= page
      if (stream === undefined) progress.to = Math.min(progress.to, progress.log.last + 1)
      if (backward) progress.to = Math.min(progress.to, looked.next)
      else progress.from = looked.next
      progress.characters += page.characters
      if (page.next !== undefined) progress.unfinished++
      const isCut = read.length < page.found
      progress.countMax = isCut ? Math.min(2 * read.length, pageEventsMax) : pageEventsMax
      return looked.isLast
    } catch (error) {
      if (!(error instanceof Damage)) throw error
      throw this.#damage(error.position === undefined ? where : `${where} ${error.position}`, error.message)
    }
  }

  /** Counts the events among the positions that were passed over, if they were never counted. @throws Damage */
  async #checkPassed({ passed, isCounted }: Looked, signal: AbortSignal | undefined): Promise<void> {
    const unknown = () => (isCounted ? undefined : this.#whole.unknown(passed, countedMax))
    for (let part = unknown(); part !== undefined; part = unknown()) {
      signal?.throwIfAborted()
      const [row] = await this.#run(this.#statements.count, [part.from, part.to])
      const count = Number(row![0])
      if (count < part.to - part.from)
        throw new Damage(`from ${part.from} to ${part.to - 1} there are only ${count} events`)
      this.#whole.add(part)
    }
    this.#whole.add(passed)
  }

  #damage(where: string, reason: string): Error {
    return damagedAt(this.#settings.schema, where, reason)
  }

  async #learnKinds(): Promise<void> {
    for (const [number, aggregate, type] of await this.#run(this.#statements.kinds, [])) {
      this.#kinds.set(Number(number), { aggregate: aggregate!, type: type! })
    }
  }
}

function beginning(range: Range, limit: number, backward: boolean, options: ReadAllOptions): Progress {
  const { from, to } = bounds(range)
  const { signal } = options
  const bounded = { countMax: pageEventsMax, from, to, characters: 0, unfinished: 0 }
  return { events: [], limit, backward, signal, filters: options, log: undefined, ...bounded }
}

/** The bounds of a range as the database can take them; positions and sequences begin at 1. */
const bounds = ({ from, to }: Range): Range => ({ from: Math.max(from, 1), to: Math.min(to, Number.MAX_SAFE_INTEGER) })

const isUnderWay = ({ events, limit, from, to }: Progress): boolean => events.length < limit && from < to

const isEnough = ({ characters, unfinished }: Progress): boolean =>
  characters >= readCharactersMax || unfinished >= unfinishedMax

/** Leaves out values that no text in the database can have. */
const arrayOrNull = (values: readonly string[] | undefined): string | null =>
  values === undefined ? null : arrayText(values.filter(isText))

const filterValues = ({ types, aggregates, tags }: ReadAllOptions): readonly Parameter[] => [
  arrayOrNull(tags?.every(isText) === false ? [] : types),
  arrayOrNull(aggregates),
  tags === undefined || tags.length === 0 ? null : arrayText(tags.filter(isText)),
]

/** The search for events that match the filters, in the whole of a range. */
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
