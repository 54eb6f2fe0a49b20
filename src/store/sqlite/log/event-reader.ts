/**
 * Reads the log on the caller's thread, a bounded number of rows at a time. In between it releases the database and
 * lets the event loop turn. What a read may see is fixed when it begins (the end of the log, or of the stream). The log
 * only grows at its end, so the parts of a long read fit together as in one transaction. The reader then knows which
 * events it has to find. A missing or damaged event is an error.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { StreamId } from '../../../domain/stream.ts'
import type { SharedBreath } from '../../../runtime/breath.ts'
import { checkBehind, examinedBy, readOptions } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { LogPlace, Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent, StreamEnd } from '../../store.ts'
import { pageOf, type StreamList, type StreamQuery, wantedOf } from '../../stream-list.ts'
import { storeNamed } from '../database/failure.ts'
import { inTransaction } from '../database/in-transaction.ts'
import { oneRow, prepareAll, type StatementSet } from '../database/statement-set.ts'
import { type ReadingName, readingIn } from '../database/statements.ts'
import type { Settings } from '../options.ts'
import { readBatches } from './batch-read.ts'
import { type CommitRow, commitOf, damagedEnd, damagedEvent, type LogRow, lostCommit, noLog } from './event-row.ts'
import { EventSource } from './event-source.ts'
import { FilteredRead } from './filtered-read.ts'
import { Names } from './names.ts'
import { Progress } from './progress.ts'
import { type SecondIndexStatements, secondIndexStatementsOf } from './second-index-statements.ts'

/** The number of characters of JSON in a page of the log, exceeded by at most one event. */
const pageCharactersMax = 8_000_000
/** If at least one event in `scanFactor` matches, looking at each event is cheaper than using the indexes. */
const scanFactor = 3
/** The number of events that are looked at one by one. */
const scanMax = 3000
/** The number of streams whose ids or ends are read in one transaction. */
const endsMax = 500

export class EventReader {
  readonly #store: string
  readonly #database: DatabaseSync
  readonly #statements: StatementSet<ReadingName>
  readonly #second: SecondIndexStatements
  readonly #names: Names
  readonly #source: EventSource
  readonly #filtered: FilteredRead
  readonly #breath: SharedBreath

  constructor(database: DatabaseSync, { path, prefix }: Settings, breath: SharedBreath) {
    this.#store = storeNamed(path)
    this.#database = database
    this.#statements = prepareAll(database, readingIn(prefix))
    this.#second = secondIndexStatementsOf(database, prefix)
    this.#names = new Names(database, prefix)
    this.#source = new EventSource(database, prefix, this.#names)
    this.#filtered = new FilteredRead(database, prefix, this.#source, breath)
    this.#breath = breath
  }

  head(): number {
    return this.#end().head
  }

  findCommit(stream: StreamId, commitId: string): Receipt | undefined {
    const number = this.#names.row(stream)?.number
    if (number === undefined) return undefined
    const first = this.#commitRow(number, commitId)
    if (first === undefined) return undefined
    if (first[5] !== commitId) throw lostCommit(commitId)
    const known = this.#names.stream(number, stream)
    const { sequence, position, checksum } = this.#source.of(first, known)
    const { count, ...mark } = commitOf(first)
    const end = position + count - 1
    const last = count === 1 ? checksum : this.#source.of(this.#source.rowAt(end), known).checksum
    return { sequence: sequence + count - 1, position: end, count, checksum: last, ...mark }
  }

  /** @throws Failure if only the second index has it */
  #commitRow(stream: number, commitId: string): CommitRow | undefined {
    const find = () => oneRow<CommitRow>(this.#statements.commit, stream, commitId)
    const first = find()
    if (first !== undefined || this.#second === undefined) return first
    if (oneRow(this.#second.commit, stream, commitId) === undefined) return undefined
    // It may have been stored between the two questions.
    const stored = find()
    if (stored === undefined) throw lostCommit(commitId)
    return stored
  }

  async streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    const ends: StreamEnd[] = []
    for (let at = 0; at < streams.length; at += endsMax) {
      if (at > 0 && this.#breath.isDue) await this.#breath.pause()
      inTransaction(this.#database, () => {
        for (const stream of streams.slice(at, at + endsMax)) {
          const row = this.#names.row(stream)
          ends.push({ sequence: row?.sequence ?? 0, checksum: row?.checksum ?? 0 })
        }
      })
    }
    return ends
  }

  async listStreams(aggregate: string, { after = '', limit }: StreamQuery): Promise<StreamList> {
    const ids: string[] = []
    for (let wanted = wantedOf(limit); ids.length < wanted; ) {
      if (this.#breath.isDue) await this.#breath.pause()
      const count = Math.min(wanted - ids.length, endsMax)
      const part = inTransaction(this.#database, () => this.#names.ids(aggregate, ids.at(-1) ?? after, count))
      for (const id of part) ids.push(id)
      if (part.length < count) break
    }
    return pageOf(ids, limit)
  }

  async readStream(stream: StreamId, range: Range, options: ReadOptions): Promise<readonly StoredEvent[]> {
    const { limit, backward } = readOptions(options)
    const end = this.#names.row(stream)
    if (end === undefined) return []
    const { number, sequence, checksum, sizeMax } = end
    const own = { from: Math.max(range.from, 1), to: Math.min(range.to, sequence + 1) }
    const progress = new Progress({ ...own, limit, backward, signal: options.signal, charactersMax: Infinity })
    const name = backward ? 'streamBackward' : 'streamForward'
    await readBatches(progress, own, {
      source: this.#source,
      breath: this.#breath,
      place: 'sequence',
      isWhole: true,
      stream: this.#names.stream(number, stream),
      read: ({ from, to }, count) => this.#source.rows(name, sizeMax, number, from, to, count),
    })
    const { events } = progress
    const last = backward ? events[0] : events.at(-1)
    if (last?.sequence !== sequence || last.checksum === checksum) return events
    throw damagedEvent(last.position, 'it is not the last event of the stream')
  }

  async readAll(range: Range, options: ReadAllOptions): Promise<Page> {
    const { limit, backward } = readOptions(options)
    const { head, sizeMax, kinds: kindCount } = this.#end()
    if (options.behind !== undefined) this.#checkBehind(options.behind, head)
    const own = { from: Math.max(range.from, 1), to: Math.min(range.to, head + 1) }
    const charactersMax = pageCharactersMax
    const progress = new Progress({ ...own, limit, backward, signal: options.signal, charactersMax })
    const kinds = this.#names.kinds(options, kindCount)
    if (options.tags !== undefined && options.tags.length > 0) {
      await this.#filtered.read(progress, own, kinds, options)
    } else if (kinds === undefined) await this.#readAny(progress, own, sizeMax)
    else if (kinds.length > 0 && limit > 0) await this.#readKinds(progress, { kinds, sizeMax, options })
    const { events, next } = progress
    const early = next !== undefined && (backward ? next + 1 : next - 1)
    const examined = early === false ? examinedBy(events, range, { limit, backward }, head) : early
    const isLast = early === false && events.length < limit
    return { events, examined, checksum: this.#checksumAt(examined, events.at(-1), head), isLast }
  }

  /** The row of the log. @throws Failure if the last event is missing */
  #end(): { readonly head: number; readonly sizeMax: number; readonly kinds: number } {
    const [last, head, sizeMax, kinds] = oneRow<LogRow>(this.#statements.head) ?? noLog
    if ((last ?? 0) === head) return { head, sizeMax, kinds }
    throw damagedEnd(last, head)
  }

  /** @throws StoreError `LOG_REPLACED` */
  #checkBehind(behind: LogPlace, head: number): void {
    const { position } = behind
    const checksum = oneRow<[number]>(this.#statements.checksum, position)?.[0] ?? 0
    // Before the log is reported as replaced, the event itself must be undamaged.
    if (position > 0 && position <= head && checksum !== behind.checksum) this.#source.at(position)
    checkBehind(behind, { store: this.#store, head, checksum })
  }

  /** The checksum of the event at a position, which must exist if the log is that long. */
  #checksumAt(position: number, last: StoredEvent | undefined, head: number): number {
    if (position < 1 || position > head) return 0
    return (last?.position === position ? last : this.#source.at(position)).checksum
  }

  async #readAny(progress: Progress, range: Range, sizeMax: number): Promise<void> {
    const name = progress.reading.backward ? 'allBackward' : 'allForward'
    await readBatches(progress, range, {
      source: this.#source,
      breath: this.#breath,
      place: 'position',
      isWhole: true,
      read: ({ from, to }, count) => this.#source.rows(name, sizeMax, from, to, count),
    })
  }

  /** Looks at the next few events one by one, which is enough if matches are common. Then it uses the indexes. */
  async #readKinds(
    progress: Progress,
    {
      kinds,
      sizeMax,
      options,
    }: { readonly kinds: readonly number[]; readonly sizeMax: number; readonly options: ReadAllOptions },
  ): Promise<void> {
    const { limit, backward, from, to } = progress.reading
    const window = Math.min(limit * scanFactor, scanMax)
    const near = backward ? { from: Math.max(from, to - window), to } : { from, to: Math.min(to, from + window) }
    const name = backward ? 'kindsBackward' : 'kindsForward'
    const list = JSON.stringify(kinds)
    await readBatches(progress, near, {
      source: this.#source,
      breath: this.#breath,
      place: 'position',
      isWhole: false,
      read: (part, count) => this.#source.rows(name, sizeMax, part.from, part.to, list, count),
    })
    this.#checkWhole(progress, near, list)
    if (progress.isFull) return
    await this.#filtered.read(progress, backward ? { from, to: near.from } : { from: near.to, to }, kinds, options)
  }

  /**
   * Checks that no event is missing among those that were looked at or passed over. If all matched, each exists.
   * @throws Failure
   */
  #checkWhole({ events, next, reading: { limit, backward } }: Progress, { from, to }: Range, kinds: string): void {
    const end = next !== undefined || events.length >= limit ? events.at(-1)!.position : backward ? from : to - 1
    const looked = backward ? { from: end, to } : { from, to: end + 1 }
    const expected = looked.to - looked.from
    if (expected <= events.length) return
    const count = oneRow<[number]>(this.#statements.count, looked.from, looked.to)![0]
    const place = `${looked.from} to ${looked.to - 1}`
    if (count < expected) throw damagedEvent(place, `there are only ${count}`)
    const named = oneRow<[number]>(this.#statements.countOfKinds, kinds, looked.from, looked.to)![0]
    if (named !== events.length) throw damagedEvent(place, `${events.length} match, and ${named} by an index`)
  }
}
