/**
 * The open store: its parts on one database. Appends are gathered in batches, and every failure becomes an error of the
 * catalogue.
 */
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Commit } from '../commit.ts'
import { CommitQueue } from '../commit-queue.ts'
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
import { Client } from './database/client.ts'
import { Database } from './database/database.ts'
import { makeClient } from './database/driver.ts'
import { readErrorOf, writeErrorOf } from './database/failure.ts'
import { makeOrCheckIndexes } from './database/indexes.ts'
import { WakeUp } from './database/wake-up.ts'
import { Turn } from './fairness/turn.ts'
import { Appender } from './log/appender.ts'
import { checkBytes } from './log/commit-document.ts'
import { EventReader } from './log/event-reader.ts'
import { LogEnd } from './log/log-end.ts'
import { ReservedStreams } from './log/reserved-streams.ts'
import { StreamEnds } from './log/stream-ends.ts'
import { Streams } from './log/streams.ts'
import type { Settings } from './options.ts'
import { Leases } from './rows/leases.ts'
import { Projections } from './rows/projections.ts'
import { Snapshots } from './rows/snapshots.ts'

const queueLimits = { batchCommitsMax: 1000, batchSizeMax: 4_000_000, waitingMax: 100_000 }

export class MongodbStore implements Store {
  readonly name = 'mongodb'
  readonly limits: StoreLimits
  readonly singleWriter = false
  readonly #label: string
  readonly #client: Client
  readonly #queue: CommitQueue
  readonly #end: LogEnd
  readonly #events: EventReader
  readonly #streamEnds: StreamEnds
  readonly #reserved: ReservedStreams
  readonly #snapshots: Snapshots
  readonly #projections: Projections
  readonly #leases: Leases
  readonly #wakeUp: WakeUp
  readonly #calls: OpenCalls

  private constructor(settings: Settings, database: Database, client: Client, { now }: OpenOptions) {
    const { label } = settings
    const streams = new Streams()
    this.#end = new LogEnd(database, label, streams)
    this.#streamEnds = new StreamEnds(database, label, streams, this.#end)
    this.#reserved = new ReservedStreams(database, settings.lookMs)
    this.limits = settings.limits
    this.#label = label
    this.#calls = new OpenCalls(label)
    this.#client = client
    this.#leases = new Leases(database, label)
    const parts = { database, streams, end: this.#end, reserved: this.#reserved, turn: new Turn(this.#leases) }
    const appender = new Appender(parts, settings)
    this.#queue = new CommitQueue((callers, writers) => appender.append(callers, writers), queueLimits)
    this.#events = new EventReader(database, label, streams, this.#end)
    this.#snapshots = new Snapshots(database, label)
    this.#projections = new Projections(database, label, now)
    this.#wakeUp = new WakeUp(database)
  }

  /** @throws StoreError */
  static async open(settings: Settings, options: OpenOptions): Promise<MongodbStore> {
    let client: Client | undefined
    try {
      client = await clientFor(settings)
      const database = await Database.connect(client, settings)
      await makeOrCheckIndexes(database, settings.label, settings.migrate)
      const store = new MongodbStore(settings, database, client, options)
      await store.#end.read()
      return store
    } catch (error) {
      await client?.close().catch(() => {})
      throw writeErrorOf(settings.label, 'opening it', error)
    }
  }

  async append(commits: readonly Commit[], options: AppendOptions = {}): Promise<readonly AppendResult[]> {
    for (const commit of commits) checkBytes(commit)
    if (commits.length === 0) return []
    const results = await this.#calls.run(() => this.#queue.append(commits, options))
    if (results.some(({ status }) => status === 'stored')) this.#wakeUp.notify()
    return results
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#read('reading', () => this.#events.readStream(stream, range, options), options.signal)
  }

  readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    return this.#read('reading', () => this.#events.readAll(range, options), options.signal)
  }

  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    return this.#read('looking for a commit', () => this.#events.findCommit(stream, commitId))
  }

  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    return this.#read('looking where streams end', () => this.#streamEnds.of(streams))
  }

  listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#read('listing streams', () => this.#streamEnds.list(aggregate, query))
  }

  reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    return this.#write('reserving streams', () => this.#reserved.reserve(streams, writer, durationMs))
  }

  head(): Promise<number> {
    return this.#read('reading', async () => (await this.#end.read()).head)
  }

  onAppend(listener: () => void): () => void {
    return this.#wakeUp.add(listener)
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
    return this.#calls.close(
      () => this.#client.close(),
      () => this.#wakeUp.close(),
    )
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

/** The caller's client, or one of the store's own for a URL. */
function clientFor({ place, label, poolSize, timeoutMs }: Settings): Client | Promise<Client> {
  if (typeof place !== 'string') return Client.given(place, timeoutMs)
  const waits = { serverSelectionTimeoutMS: timeoutMs, connectTimeoutMS: timeoutMs }
  return Client.own(() => makeClient(label, place, { maxPoolSize: poolSize, retryWrites: false, ...waits }), timeoutMs)
}
