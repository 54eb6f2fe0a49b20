/**
 * The open store: its parts on one connection. Appends are gathered in batches, and every failure becomes an error of
 * the catalogue.
 */
import { InputError } from '../../domain/error.ts'
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Commit } from '../commit.ts'
import { CommitQueue } from '../commit-queue.ts'
import { Listeners } from '../listeners.ts'
import { OpenCalls } from '../open-calls.ts'
import type { Range } from '../range.ts'
import type {
  AppendOptions,
  AppendResult,
  Checkpoint,
  Lease,
  OpenOptions,
  Page,
  ProjectionStep,
  ReadAllOptions,
  ReadOptions,
  Receipt,
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
import { readErrorOf, writeErrorOf } from './database/failure.ts'
import { type Database, openDatabase } from './database/setup.ts'
import { Appender } from './log/appender.ts'
import { batchMessagesMax } from './log/batch-plan.ts'
import { bytesMaxOf } from './log/event-message.ts'
import { LogReader } from './log/log-reader.ts'
import { ReservedStreams } from './log/reserved-streams.ts'
import { StreamLists } from './log/stream-list.ts'
import { StreamReader } from './log/stream-reader.ts'
import { keyOf, Streams } from './log/streams.ts'
import type { Settings } from './options.ts'
import { Leases } from './rows/leases.ts'
import { Projections } from './rows/projections.ts'
import { Snapshots } from './rows/snapshots.ts'

const queueLimits = { batchCommitsMax: 1000, batchSizeMax: 4_000_000, waitingMax: 100_000 }
const commitSizeMax = 8_000_000
/** Room in a message for what an event has beside its data: ids, links, headers. */
const messageRoom = 16_384

export class NatsStore implements Store {
  readonly name = 'nats'
  readonly limits: StoreLimits
  readonly singleWriter = false
  readonly #label: string
  readonly #database: Database
  readonly #queue: CommitQueue
  readonly #streams: StreamReader
  readonly #log: LogReader
  readonly #lists: StreamLists
  readonly #reserved: ReservedStreams
  readonly #snapshots: Snapshots
  readonly #projections: Projections
  readonly #leases: Leases
  readonly #listeners = new Listeners()
  readonly #endListening: () => void
  readonly #calls: OpenCalls

  private constructor(settings: Settings, database: Database) {
    const { label, timeoutMs } = settings
    const { payloadMax } = database.connection.server
    this.limits = Object.freeze({
      commitSizeMax: Math.min(commitSizeMax, payloadMax - messageRoom),
      commitEventsMax: batchMessagesMax,
    })
    this.#label = label
    this.#database = database
    this.#calls = new OpenCalls(label)
    const streams = new Streams()
    this.#streams = new StreamReader(database, label, streams, timeoutMs)
    this.#reserved = new ReservedStreams(database, label, settings.lookMs)
    const parts = { database, streams, reader: this.#streams, reserved: this.#reserved }
    const appender = new Appender(parts, settings)
    this.#queue = new CommitQueue((callers, writers) => appender.append(callers, writers), queueLimits)
    this.#log = new LogReader(database, label, timeoutMs)
    this.#lists = new StreamLists(database, label, this.#log)
    this.#snapshots = new Snapshots(database, label)
    this.#projections = new Projections(database, label)
    this.#leases = new Leases(database, label)
    const { connection, subjects } = database
    this.#endListening = connection.listen(subjects.hints, () => this.#listeners.notify())
  }

  /** @throws StoreError */
  static async open(settings: Settings, options: OpenOptions): Promise<NatsStore> {
    try {
      return new NatsStore(settings, await openDatabase(settings, options))
    } catch (error) {
      throw readErrorOf(settings.label, 'opening it', error)
    }
  }

  async append(commits: readonly Commit[], options: AppendOptions = {}): Promise<readonly AppendResult[]> {
    for (const commit of commits) this.#checkBytes(commit)
    if (commits.length === 0) return []
    const results = await this.#calls.run(() => this.#queue.append(commits, options))
    if (results.some(({ status }) => status === 'stored')) {
      this.#listeners.notify()
      this.#database.connection.tell(this.#database.subjects.hints)
    }
    return results
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#read('reading', () => this.#streams.readStream(stream, range, options), options.signal)
  }

  readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    return this.#read('reading', () => this.#log.readAll(range, options), options.signal)
  }

  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    return this.#read('looking for a commit', () => this.#streams.findCommit(stream, commitId))
  }

  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    return this.#read('looking where streams end', async () => {
      if (streams.length === 0) return []
      const ends = await this.#streams.ends(streams)
      return streams.map((stream) => {
        const { sequence, checksum } = ends.get(keyOf(stream))!
        return { sequence, checksum }
      })
    })
  }

  listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#read('listing streams', () => this.#lists.list(aggregate, query))
  }

  reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    return this.#write('reserving streams', () => this.#reserved.reserve(streams, writer, durationMs))
  }

  head(): Promise<number> {
    return this.#read('reading', () => this.#log.head())
  }

  onAppend(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  saveSnapshot(snapshot: Snapshot, { keep }: { readonly keep: number }): Promise<void> {
    return this.#write('saving a snapshot', () => this.#snapshots.save(snapshot, keep))
  }

  loadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } = {}): Promise<Snapshot | undefined> {
    const atOrBefore = options.atOrBefore ?? Number.POSITIVE_INFINITY
    return this.#read('loading a snapshot', () => this.#snapshots.load(stream, atOrBefore))
  }

  loadCheckpoint(projection: string): Promise<Checkpoint> {
    return this.#read('loading a checkpoint', () => this.#projections.loadCheckpoint(projection))
  }

  loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return this.#read('loading rows', () => this.#projections.loadRows(projection, keys))
  }

  loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    return this.#read('loading rows', () => this.#projections.loadRowsWithCheckpoint(projection, keys))
  }

  listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#read('listing rows', () => this.#projections.listRows(projection, query))
  }

  saveStep(projection: string, step: ProjectionStep): Promise<void> {
    return this.#write('saving a step', () => this.#projections.saveStep(projection, step))
  }

  resetProjection(projection: string): Promise<void> {
    return this.#write('resetting a projection', () => this.#projections.reset(projection))
  }

  acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    return this.#write('taking a lease', () => this.#leases.acquire(name, owner, durationMs))
  }

  releaseLease(name: string, owner: string): Promise<void> {
    return this.#write('giving back a lease', () => this.#leases.release(name, owner))
  }

  close(): Promise<void> {
    return this.#calls.close(async () => {
      this.#endListening()
      this.#reserved.close()
      await this.#database.connection.close()
    })
  }

  /** Refuses a commit with an event that does not fit in a message. @throws InputError `COMMIT_TOO_LARGE` */
  #checkBytes(commit: Commit): void {
    const sizeMax = this.#database.connection.server.payloadMax
    const size = bytesMaxOf(commit, sizeMax)
    if (size <= sizeMax) return
    throw new InputError('COMMIT_TOO_LARGE', { stream: commit.stream, measure: 'bytes', size, sizeMax })
  }

  async #read<Result>(doing: string, read: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    try {
      return await this.#calls.run(read)
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error
      throw readErrorOf(this.#label, doing, error)
    }
  }

  async #write<Result>(doing: string, write: () => Promise<Result>): Promise<Result> {
    try {
      return await this.#calls.run(write)
    } catch (error) {
      throw writeErrorOf(this.#label, doing, error)
    }
  }
}
