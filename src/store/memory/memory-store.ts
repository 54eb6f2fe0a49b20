/**
 * The store in memory, for tests and for data that may be lost. It keeps the whole contract except durability, in plain
 * arrays and maps, and does everything synchronously before its promises resolve. The data belongs to the factory, so a
 * domain that is stopped and started again on the same factory finds it.
 */
import type { StreamId } from '../../domain/stream.ts'
import type { Commit } from '../commit.ts'
import { isMet } from '../expectation.ts'
import { checkBehind, examinedBy, matches, readOptions } from '../page.ts'
import type { Range } from '../range.ts'
import type { Reservations } from '../reservations.ts'
import type {
  AppendOptions,
  AppendResult,
  Checkpoint,
  Lease,
  Page,
  ProjectionStep,
  ReadAllOptions,
  ReadOptions,
  Receipt,
  Row,
  RowPage,
  RowQuery,
  RowsWithCheckpoint,
  Snapshot,
  Store,
  StoredEvent,
  StoreLimits,
  StreamEnd,
} from '../store.ts'
import type { StreamList, StreamQuery } from '../stream-list.ts'
import type { MemoryLog } from './log/memory-log.ts'
import { hashOfId, type MemoryStream } from './log/memory-stream.ts'
import type { MemoryRows } from './rows/memory-rows.ts'

const limits: StoreLimits = { commitSizeMax: 8_000_000, commitEventsMax: 10_000 }

/** The data that all openings of a factory share. */
export interface MemoryData {
  readonly log: MemoryLog
  readonly rows: MemoryRows
  readonly reservations: Reservations
}

export class MemoryStore implements Store {
  readonly name = 'memory'
  readonly limits: StoreLimits = limits
  /** A factory may be opened several times, by domains that share its data. */
  readonly singleWriter = false
  readonly #log: MemoryLog
  readonly #rows: MemoryRows
  readonly #reservations: Reservations
  readonly #now: () => number
  /** The streams of the current batch to which a commit was not stored. */
  readonly #broken = new Set<MemoryStream>()

  constructor({ log, rows, reservations }: MemoryData, now: () => number) {
    this.#log = log
    this.#rows = rows
    this.#reservations = reservations
    this.#now = now
  }

  async append(commits: readonly Commit[], options?: AppendOptions): Promise<readonly AppendResult[]> {
    const writer = options?.writer
    const reserved = this.#reservations.isEmpty ? undefined : this.#reservations.begin(writer, this.#now())
    if (this.#broken.size > 0) this.#broken.clear()
    const results: AppendResult[] = []
    for (const commit of commits) results.push(this.#appendOne(commit, reserved?.(commit.stream) === true))
    if (!this.#reservations.isEmpty) {
      this.#reservations.end(
        writer,
        commits.filter((_, i) => results[i]!.status === 'stored'),
      )
    }
    if (commits.length > 0) this.#log.listeners.notify()
    return results
  }

  #appendOne(commit: Commit, isReserved: boolean): AppendResult {
    const broken = this.#broken
    const stream = this.#log.find(commit.stream)
    const sequence = stream?.sequence ?? 0
    const hash = hashOfId(commit.id)
    const stored = stream?.find(commit.id, hash)
    if (
      stored === undefined &&
      !isReserved &&
      isMet(commit.expected, sequence, stream !== undefined && broken.has(stream))
    ) {
      return this.#log.append(stream, commit, hash)
    }
    broken.add(stream ?? this.#log.findOrAdd(commit.stream))
    if (stored !== undefined) return { status: 'duplicate', ...stored }
    return { status: 'conflict', sequence, ...(isReserved && { reserved: true }) }
  }

  async readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#log.readStream(stream, range, readOptions(options))
  }

  async readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    const paging = readOptions(options)
    const { behind } = options
    const { name: store } = this
    const { head } = this.#log
    if (behind !== undefined) checkBehind(behind, { store, head, checksum: this.#log.checksumAt(behind.position) })
    const events = this.#log.readAll(range, { ...paging, passes: (event) => matches(options, event) })
    const examined = examinedBy(events, range, paging, head)
    return { events, examined, checksum: this.#log.checksumAt(examined), isLast: events.length < paging.limit }
  }

  async findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    return this.#log.find(stream)?.find(commitId)
  }

  async streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    return streams.map((stream) => this.#log.endOf(stream))
  }

  async listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#log.list(aggregate, query)
  }

  async reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    return this.#reservations.reserve(streams, writer, { durationMs, now: this.#now() })
  }

  async head(): Promise<number> {
    return this.#log.head
  }

  onAppend(listener: () => void): () => void {
    return this.#log.listeners.add(listener)
  }

  async saveSnapshot(snapshot: Snapshot, { keep }: { readonly keep: number }): Promise<void> {
    this.#rows.saveSnapshot(snapshot, keep)
  }

  async loadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } = {}): Promise<Snapshot | undefined> {
    return this.#rows.loadSnapshot(stream, options.atOrBefore ?? Number.POSITIVE_INFINITY)
  }

  async loadCheckpoint(projection: string): Promise<Checkpoint> {
    return this.#rows.loadCheckpoint(projection)
  }

  async loadRows(projection: string, keys: readonly string[]): Promise<readonly Row['value'][]> {
    return this.#rows.loadRows(projection, keys)
  }

  async loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    return { checkpoint: this.#rows.loadCheckpoint(projection), values: this.#rows.loadRows(projection, keys) }
  }

  async listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#rows.listRows(projection, query)
  }

  async saveStep(projection: string, step: ProjectionStep): Promise<void> {
    this.#rows.saveStep(projection, step)
  }

  async resetProjection(projection: string): Promise<void> {
    this.#rows.resetProjection(projection)
  }

  async acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    return this.#rows.acquireLease(name, owner, durationMs, this.#now())
  }

  async releaseLease(name: string, owner: string): Promise<void> {
    this.#rows.releaseLease(name, owner)
  }

  async close(): Promise<void> {}
}
