/**
 * The open file store: the log with its index, and the journals of the data beside it. It keeps the port's promises by
 * group commit: commits that arrive while a batch is being written are in the next batch. The index is saved at
 * closing, and in the background when the log has grown far beyond it.
 */
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import { Breath, type EventLoop, SharedBreath } from '../../runtime/breath.ts'
import type { Commit } from '../commit.ts'
import { CommitQueue } from '../commit-queue.ts'
import { Listeners } from '../listeners.ts'
import { OpenCalls } from '../open-calls.ts'
import type { Range } from '../range.ts'
import { Reservations } from '../reservations.ts'
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
import type { Disk } from './database/disk.ts'
import { troubleOf } from './database/failure.ts'
import type { Lock } from './database/lock.ts'
import type { CommitIndex } from './index/commit-index.ts'
import { IndexKeeper } from './index/index-keeper.ts'
import { LogReader } from './log/log-reader.ts'
import { LogWriter } from './log/log-writer.ts'
import type { Segments } from './log/segments.ts'
import { unmarkUnsynced } from './log/unsynced.ts'
import type { FileRows } from './rows/file-rows.ts'

/** The parts made by opening. They belong to the store from then on. */
export interface FileStoreParts {
  readonly disk: Disk
  readonly directory: string
  /** The id of the log. */
  readonly log: string
  readonly lock: Lock
  readonly index: CommitIndex
  readonly segments: Segments
  readonly rows: FileRows
  /** The number of commits that the saved index covers. */
  readonly commitsIndexed: number
  /** Whether the log is marked as not synced, until it is closed. */
  readonly syncsAtClosing: boolean
  readonly now: () => number
  readonly loop: EventLoop
}

const limits: StoreLimits = { commitSizeMax: 8_000_000, commitEventsMax: 10_000 }
/** A batch is encoded without a break, so a larger one would delay timers by more than some ms. */
const endsAtOnce = 256
const queueLimits = { batchCommitsMax: 2_000, batchSizeMax: 16_000_000, waitingMax: 100_000 }

export class FileStore implements Store {
  readonly name = 'file'
  readonly limits: StoreLimits = limits
  readonly singleWriter = true
  readonly #disk: Disk
  readonly #directory: string
  readonly #lock: Lock
  readonly #index: CommitIndex
  readonly #segments: Segments
  readonly #rows: FileRows
  readonly #reader: LogReader
  readonly #queue: CommitQueue
  readonly #keeper: IndexKeeper
  /** In memory, because no other process writes while the store is open, and reservations end when it is closed. */
  readonly #reservations = new Reservations()
  readonly #now: () => number
  readonly #syncsAtClosing: boolean
  readonly #loop: EventLoop
  readonly #breath: SharedBreath
  readonly #listeners = new Listeners()
  readonly #calls: OpenCalls

  constructor({ disk, directory, log, lock, index, segments, rows, ...rest }: FileStoreParts) {
    const { commitsIndexed, syncsAtClosing, now, loop } = rest
    this.#disk = disk
    this.#syncsAtClosing = syncsAtClosing
    this.#directory = directory
    this.#calls = new OpenCalls(this.name)
    this.#lock = lock
    this.#index = index
    this.#segments = segments
    this.#rows = rows
    this.#now = now
    this.#loop = loop
    this.#breath = new SharedBreath(loop)
    this.#reader = new LogReader(directory, index, segments, loop)
    const writer = new LogWriter({
      store: directory,
      index,
      segments,
      reader: this.#reader,
      reservations: this.#reservations,
      now,
      loop,
    })
    this.#keeper = new IndexKeeper({ disk, directory, index, segments, log }, commitsIndexed)
    this.#queue = new CommitQueue(async (groups, writers) => {
      const results = await writer.write(groups, writers)
      this.#keeper.grown()
      this.#listeners.notify()
      return results
    }, queueLimits)
    this.#keeper.grown()
  }

  append(commits: readonly Commit[], options: AppendOptions = {}): Promise<readonly AppendResult[]> {
    return this.#calls.run(async () => (commits.length === 0 ? [] : this.#queue.append(commits, options)))
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#read(() => this.#reader.readStream(stream, range, options))
  }

  readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    return this.#read(() => this.#reader.readAll(range, options))
  }

  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    return this.#read(() => this.#reader.findCommit(stream, commitId))
  }

  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    return this.#read(async () => {
      const breath = new Breath(this.#loop)
      const ends: StreamEnd[] = []
      for (const [i, stream] of streams.entries()) {
        if (i % endsAtOnce === 0 && breath.isDue) await breath.pause()
        ends.push(this.#index.endOf(this.#index.streams.find(stream)))
      }
      return ends
    })
  }

  listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#read(() => this.#index.list(aggregate, query))
  }

  reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    return this.#calls.run(async () => this.#reservations.reserve(streams, writer, { durationMs, now: this.#now() }))
  }

  head(): Promise<number> {
    return this.#read(async () => this.#index.head)
  }

  onAppend(listener: () => void): () => void {
    return this.#listeners.add(listener)
  }

  saveSnapshot(snapshot: Snapshot, { keep }: { readonly keep: number }): Promise<void> {
    return this.#calls.run(() => this.#rows.saveSnapshot(snapshot, keep, this.#index))
  }

  loadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } = {}): Promise<Snapshot | undefined> {
    const { atOrBefore = Number.POSITIVE_INFINITY } = options
    return this.#read(async () => this.#rows.snapshots.load(stream, atOrBefore))
  }

  loadCheckpoint(projection: string): Promise<Checkpoint> {
    return this.#read(async () => this.#rows.projections.checkpoint(projection))
  }

  loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return this.#read(() => this.#rows.projections.rows(projection, keys))
  }

  loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    return this.#read(() => this.#rows.projections.rowsWithCheckpoint(projection, keys))
  }

  listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#read(() => this.#rows.projections.list(projection, query))
  }

  saveStep(projection: string, step: ProjectionStep): Promise<void> {
    return this.#calls.run(() => this.#rows.saveStep(projection, step, this.#index))
  }

  resetProjection(projection: string): Promise<void> {
    return this.#calls.run(() => this.#rows.resetProjection(projection))
  }

  acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    return this.#calls.run(() => this.#rows.acquireLease(name, owner, durationMs))
  }

  releaseLease(name: string, owner: string): Promise<void> {
    return this.#calls.run(() => this.#rows.releaseLease(name, owner))
  }

  /** Writes the files of rows and snapshots anew, without what was deleted. */
  vacuum(): Promise<void> {
    return this.#calls.run(() => this.#rows.vacuum())
  }

  close(): Promise<void> {
    return this.#calls.close(() => this.#close())
  }

  async #close(): Promise<void> {
    try {
      await this.#keeper.close()
      const closed = await Promise.allSettled([this.#rows.close(), this.#segments.close()])
      for (const result of closed) if (result.status === 'rejected') throw result.reason
      if (this.#syncsAtClosing && (await this.#segments.mayWrite())) await unmarkUnsynced(this.#disk, this.#directory)
    } catch (cause) {
      throw troubleOf(this.#directory, 'closing', cause)
    } finally {
      await this.#lock.release()
    }
  }

  /** Runs a read. The event loop turns before it, if it has not turned for long. */
  #read<Result>(read: () => Promise<Result>): Promise<Result> {
    return this.#calls.run(async () => {
      if (this.#breath.isDue) await this.#breath.pause()
      return read()
    })
  }
}
