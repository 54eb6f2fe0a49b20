/**
 * The open store. Writes go to the writer's thread; reads happen here, on a connection that cannot write. SQLite shows
 * a transaction to other connections only when it is complete and on the disk. Positions therefore become visible in
 * order in every process, and acknowledged events can be read at once.
 */
import type { DatabaseSync } from 'node:sqlite'
import { DefinitionError } from '../../domain/error.ts'
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import { SharedBreath } from '../../runtime/breath.ts'
import { checkRuntime } from '../../runtime/platform.ts'
import { platformLoop } from '../../runtime/timers.ts'
import { checkCheckpoint } from '../checkpoint.ts'
import type { Commit } from '../commit.ts'
import { Listeners } from '../listeners.ts'
import { OpenCalls } from '../open-calls.ts'
import type { Range } from '../range.ts'
import type {
  AppendOptions,
  AppendResult,
  Checkpoint,
  CheckpointPlace,
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
  SqlReading,
  SqlReadingOptions,
  Store,
  StoredEvent,
  StoreLimits,
  StreamEnd,
} from '../store.ts'
import type { StreamList, StreamQuery } from '../stream-list.ts'
import type { CutLog } from './database/cut-log.ts'
import { codeOf, errorOf, Failure, factsOf, storeNamed } from './database/failure.ts'
import { FilesInPlace } from './database/files-in-place.ts'
import { packCheckpoint, packCommits, packRows, placeOf, unpackResults } from './database/protocol.ts'
import { EventReader } from './log/event-reader.ts'
import { OtherWriters } from './log/other-writers.ts'
import { checkSqlite, openForReading } from './opening/connection.ts'
import { cutWords } from './opening/cut-check.ts'
import type { Settings } from './options.ts'
import { TableReaders } from './reading/table-readers.ts'
import { RowPages } from './rows/row-pages.ts'
import { RowReader } from './rows/row-reader.ts'
import type { TransactionTask } from './transact/transaction-client.ts'
import type { Held } from './writer/threads.ts'
import { Writer } from './writer/writer.ts'

const limits: StoreLimits = Object.freeze({ commitSizeMax: 8_000_000, commitEventsMax: 10_000 })

export class SqliteStore implements Store {
  readonly name = 'sqlite'
  readonly limits: StoreLimits = limits
  readonly singleWriter = false
  readonly #settings: Settings
  readonly #now: () => number
  readonly #writer: Writer
  readonly #database: DatabaseSync
  readonly #breath: SharedBreath
  readonly #files: FilesInPlace
  readonly #events: EventReader
  readonly #reader: RowReader
  readonly #pages: RowPages
  readonly #tables: TableReaders
  readonly #listeners = new Listeners()
  readonly #others: OtherWriters
  /** Reads in progress. The writer counts the writes. */
  readonly #calls: OpenCalls

  private constructor(
    settings: Settings,
    now: () => number,
    writer: Writer,
    database: DatabaseSync,
    files: FilesInPlace,
  ) {
    this.#settings = settings
    this.#calls = new OpenCalls(storeNamed(settings.path))
    this.#now = now
    this.#writer = writer
    this.#database = database
    this.#files = files
    this.#breath = new SharedBreath(platformLoop, () => this.#calls.check())
    this.#reader = new RowReader(database, settings.prefix, this.#breath)
    this.#events = new EventReader(database, settings, this.#breath)
    this.#tables = new TableReaders(settings)
    this.#pages = new RowPages(database, settings.prefix, this.#breath)
    const onGrown = () => this.#listeners.notify()
    this.#others = new OtherWriters({ path: settings.path, head: () => this.#events.head(), onGrown })
  }

  /** @throws StoreError, DefinitionError */
  static async open(settings: Settings, { warn, now }: OpenOptions): Promise<SqliteStore> {
    try {
      checkRuntime()
      checkSqlite()
    } catch (error) {
      throw error instanceof DefinitionError ? error : errorOf(settings.path, 'opening it', factsOf(error))
    }
    const writer = new Writer(settings, {
      cut: (cut: CutLog) => warn({ code: 'TORN_TAIL_CUT', message: cutWords(settings.path, cut) }),
      slow: (held) => warn({ code: 'STORE_SLOW', message: slowWords(settings.path, held) }),
    })
    const files = new FilesInPlace(settings.path, await writer.open())
    if (settings.mayLoseOnPowerFailure) {
      const message = `${storeNamed(settings.path)} answers before the data is on the disk: a power failure may lose the last commits`
      warn({ code: 'DURABILITY_WEAKENED', message })
    }
    let database: DatabaseSync | undefined
    try {
      database = openForReading(settings.path)
      // The reading connection has the same file as the writing one.
      files.check()
      return new SqliteStore(settings, now, writer, database, files)
    } catch (error) {
      database?.close()
      await writer.close()
      throw errorOf(settings.path, 'opening it', factsOf(error))
    }
  }

  async append(commits: readonly Commit[], { writer }: AppendOptions = {}): Promise<readonly AppendResult[]> {
    if (commits.length === 0) return []
    const size = commits.reduce((sum, commit) => sum + commit.size, 0)
    const packed = packCommits(commits)
    const request = { commits: packed, callers: [commits.length], writer: writer ?? null, now: this.#now() }
    const results = unpackResults(await this.#writer.call('append', request, size), commits)
    const last = results.findLast((result) => result.status === 'stored')
    if (last !== undefined) {
      this.#others.appended(last.position)
      this.#listeners.notify()
    }
    return results
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#read(() => this.#events.readStream(stream, range, options), options.signal)
  }

  readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    return this.#read(() => this.#events.readAll(range, options), options.signal)
  }

  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    return this.#readInPlace(() => this.#events.findCommit(stream, commitId))
  }

  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    return this.#readInPlace(() => this.#events.streamEnds(streams))
  }

  listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#read(() => this.#events.listStreams(aggregate, query))
  }

  async reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    if (streams.length === 0) return []
    const flat = streams.flatMap(({ aggregate, id }) => [aggregate, id])
    return await this.#writer.call('reserve', { streams: flat, writer, durationMs, now: this.#now() }, 0)
  }

  head(): Promise<number> {
    return this.#read(() => this.#events.head())
  }

  onAppend(listener: () => void): () => void {
    const remove = this.#listeners.add(listener)
    this.#others.watch()
    return () => {
      remove()
      if (this.#listeners.isEmpty) this.#others.close()
    }
  }

  async saveSnapshot(snapshot: Snapshot, { keep }: { readonly keep: number }): Promise<void> {
    const { stream, sequence, stateRevision, checksum, fingerprint } = snapshot
    const state = JSON.stringify(snapshot.state)
    const takenAt = Math.floor(snapshot.takenAt)
    const { aggregate, id } = stream
    const request = { aggregate, id, sequence, stateRevision, checksum, fingerprint, takenAt, state, keep }
    await this.#writer.call('saveSnapshot', request, state.length)
  }

  loadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } = {}): Promise<Snapshot | undefined> {
    return this.#read(() => this.#reader.loadSnapshot(stream, options.atOrBefore ?? Number.POSITIVE_INFINITY))
  }

  loadCheckpoint(projection: string): Promise<Checkpoint> {
    return this.#read(() => this.#reader.loadCheckpoint(projection))
  }

  loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return this.#read(() => this.#reader.loadRows(projection, keys))
  }

  loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    return this.#read(() => this.#reader.loadRowsWithCheckpoint(projection, keys))
  }

  listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#read(() => this.#pages.list(projection, query))
  }

  async saveStep(projection: string, { from, to, rows }: ProjectionStep): Promise<void> {
    const { flat, size } = packRows(rows)
    const request = { projection, from: placeOf(from), to: packCheckpoint(to), rows: flat }
    checkCheckpoint(projection, from, await this.#writer.call('saveStep', request, size))
  }

  async transact(projection: string, from: CheckpointPlace, work: TransactionTask['work']): Promise<void> {
    await this.#writer.transact({ projection, from, work })
  }

  readSql<Result>(work: (reading: SqlReading) => Promise<Result>, options: SqlReadingOptions): Promise<Result> {
    return this.#calls.run(async () => {
      try {
        const result = await this.#tables.read(work, options)
        this.#files.check()
        return result
      } catch (error) {
        throw this.#readingError(error)
      }
    })
  }

  async resetProjection(projection: string): Promise<void> {
    await this.#writer.call('resetProjection', { projection }, 0)
  }

  async acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    return await this.#writer.call('acquireLease', { name, owner, durationMs, now: this.#now() }, 0)
  }

  async releaseLease(name: string, owner: string): Promise<void> {
    await this.#writer.call('releaseLease', { name, owner }, 0)
  }

  /**
   * Closes the reading connections first. The writer's is then the last one, and empties the write-ahead log on its
   * thread.
   */
  close(): Promise<void> {
    return this.#calls.close(async () => {
      await this.#writer.settled()
      await this.#tables.close()
      this.#others.close()
      this.#database.close()
      await this.#writer.close()
    })
  }

  async #read<Result>(read: () => Result | Promise<Result>, signal?: AbortSignal): Promise<Result> {
    this.#calls.check()
    try {
      if (this.#breath.isDue) await this.#breath.pause(signal)
      return await read()
    } catch (error) {
      throw this.#readingError(error)
    }
  }

  /** Makes sure that a result belongs to the current file, not to one that was deleted or replaced. */
  #readInPlace<Result>(read: () => Result | Promise<Result>): Promise<Result> {
    return this.#read(async () => {
      const result = await read()
      this.#files.check()
      return result
    })
  }

  #readingError(error: unknown): unknown {
    const { path } = this.#settings
    if (error instanceof Failure || codeOf(error) !== undefined) return errorOf(path, 'reading', factsOf(error))
    // The store has not written text that is not JSON, or a number out of range.
    const isDamage = error instanceof SyntaxError || isOutOfRange(error)
    return isDamage ? errorOf(path, 'reading', { kind: 'damaged', where: 'a row', reason: error.message }) : error
  }
}

/** Whether `node:sqlite` has met a whole number that JavaScript cannot hold. */
function isOutOfRange(error: unknown): error is Error {
  return error instanceof Error && (error as { code?: unknown }).code === 'ERR_OUT_OF_RANGE'
}

function slowWords(path: string, { path: holder, stores, ms }: Held): string {
  const waits = `${storeNamed(path)} has waited ${ms / 1000} s for the thread that writes`
  if (holder !== path) return `${waits}, which ${storeNamed(holder)} holds, one of ${stores} stores on it`
  const others = stores === 1 ? '' : `. ${stores - 1} other stores of this process use the thread, and wait too`
  return `${waits}: its disk does not answer, its lock is held, or a statement of a handler takes long${others}`
}
