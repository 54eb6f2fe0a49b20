/**
 * The PostgreSQL store. It puts the parts together, counts the calls in progress, and turns failures into errors of the
 * catalogue.
 */
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { StoreWarning } from '../../runtime/warning.ts'
import type { Commit } from '../commit.ts'
import { Listeners } from '../listeners.ts'
import { OpenCalls } from '../open-calls.ts'
import type { Range } from '../range.ts'
import { ReadLimit } from '../sql-reading.ts'
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
  SqlTransaction,
  Store,
  StoredEvent,
  StoreLimits,
  StreamEnd,
} from '../store.ts'
import type { StreamList, StreamQuery } from '../stream-list.ts'
import { Connections } from './database/connections.ts'
import type { Database, RunQuery } from './database/database.ts'
import { loadDriver } from './database/driver.ts'
import { errorOf, isClash, isLost, reading, storeNamed } from './database/failure.ts'
import type { Hearer } from './database/listener.ts'
import { channelOf, prepareTables } from './database/migration.ts'
import { quoted } from './database/tables.ts'
import { EventAppender } from './log/event-appender.ts'
import { EventReader } from './log/event-reader.ts'
import { eventStatements } from './log/event-statements.ts'
import { Streams, streamStatements } from './log/streams.ts'
import type { Settings } from './options.ts'
import { PostgresRows, rowStatements } from './rows/postgres-rows.ts'
import { beginReading, LentReading } from './transact/lent-reading.ts'
import { LentTransaction, WorkThrew } from './transact/sql-transaction.ts'

const limits: StoreLimits = Object.freeze({ commitSizeMax: 8_000_000, commitEventsMax: 10_000 })
const triesMax = 5

export class PostgresStore implements Store {
  readonly name = 'postgres'
  readonly limits: StoreLimits = limits
  readonly singleWriter = false
  readonly #schema: string
  readonly #settings: Settings
  readonly #connections: Connections
  readonly #database: Database
  readonly #appender: EventAppender
  readonly #events: EventReader
  readonly #streams: Streams
  readonly #rows: PostgresRows
  readonly #listeners = new Listeners()
  readonly #hearer: Hearer
  readonly #calls: OpenCalls
  /** The last position that was announced to the listeners. */
  #announced = 0

  private constructor(settings: Settings, connections: Connections, database: Database, warn: OpenOptions['warn']) {
    const { schema } = settings
    this.#schema = schema
    this.#calls = new OpenCalls(storeNamed(schema))
    this.#settings = settings
    this.#connections = connections
    this.#database = database
    this.#appender = new EventAppender(database, settings)
    const read: RunQuery = (text, values) => this.#read(text, values)
    const { forward, backward, ...single } = eventStatements(quoted(schema))
    const ofRows = rowStatements(quoted(schema))
    const ofStreams = streamStatements(quoted(schema))
    for (const texts of [forward, backward, single, ofStreams, ofRows]) database.prepare(Object.values(texts))
    this.#events = new EventReader(read, { forward, backward, ...single }, settings)
    const access = { read, write: (...query: Parameters<RunQuery>) => this.#write(...query) }
    this.#streams = new Streams(access, ofStreams)
    this.#rows = new PostgresRows(access, ofRows, settings)
    this.#hearer = {
      channel: channelOf(schema),
      hear: (position) => this.#announce(position),
      fail: (error) => warn(notListening(schema, error)),
    }
  }

  /** @throws StoreError, DefinitionError */
  static async open(settings: Settings, { warn }: OpenOptions): Promise<PostgresStore> {
    const connections = Connections.of(await loadDriver(), settings)
    const database = connections.forCommands(settings)
    const { schema } = settings
    try {
      await prepareTables(database, settings)
    } catch (error) {
      await connections.close(settings)
      throw errorOf(schema, 'opening it', error)
    }
    if (settings.mayLoseOnPowerFailure) {
      const message = `${storeNamed(schema)} answers before the data is on the disk: a crash of the server may lose the last commits`
      warn({ code: 'DURABILITY_WEAKENED', message })
    }
    return new PostgresStore(settings, connections, database, warn)
  }

  async append(commits: readonly Commit[], options: AppendOptions = {}): Promise<readonly AppendResult[]> {
    this.#calls.check()
    if (commits.length === 0) return []
    const results = await this.#counted('appending', () => this.#appender.append(commits, options))
    const last = results.findLast((result) => result.status === 'stored')
    if (last !== undefined) this.#announce(last.position)
    return results
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#counted(reading, () => this.#events.readStream(stream, range, options))
  }

  readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    return this.#inTurn(reading, () => this.#events.readAll(range, options))
  }

  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    return this.#counted(reading, () => this.#events.findCommit(stream, commitId))
  }

  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    return this.#counted(reading, () => this.#streams.ends(streams))
  }

  listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#inTurn(reading, () => this.#streams.list(aggregate, query))
  }

  reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    return this.#counted('reserving streams', () => this.#streams.reserve(streams, writer, durationMs))
  }

  head(): Promise<number> {
    return this.#counted(reading, () => this.#events.head())
  }

  /** The store listens from the first listener on. */
  onAppend(listener: () => void): () => void {
    if (this.#settings.listen) this.#connections.listener(this.#settings).add(this.#hearer)
    return this.#listeners.add(listener)
  }

  saveSnapshot(snapshot: Snapshot, { keep }: { readonly keep: number }): Promise<void> {
    return this.#counted('saving a snapshot', () => this.#rows.saveSnapshot(snapshot, keep))
  }

  loadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } = {}): Promise<Snapshot | undefined> {
    const { atOrBefore = Number.POSITIVE_INFINITY } = options
    return this.#counted(reading, () => this.#rows.loadSnapshot(stream, atOrBefore))
  }

  loadCheckpoint(projection: string): Promise<Checkpoint> {
    return this.#counted(reading, () => this.#rows.loadCheckpoint(projection))
  }

  loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return this.#inTurn(reading, () => this.#rows.loadRows(projection, keys))
  }

  loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    return this.#inTurn(reading, () => this.#rows.loadRowsWithCheckpoint(projection, keys))
  }

  listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#inTurn(reading, () => this.#rows.listRows(projection, query))
  }

  saveStep(projection: string, step: ProjectionStep): Promise<void> {
    return this.#inTurn('saving a step', () => this.#rows.saveStep(projection, step))
  }

  transact(
    projection: string,
    from: CheckpointPlace,
    work: (transaction: SqlTransaction) => Promise<Omit<ProjectionStep, 'from'>>,
  ): Promise<void> {
    return this.#counted('saving a step', () =>
      this.#connections.stepping.take(async () => {
        const database = this.#connections.forSteps(this.#settings)
        let lent: LentTransaction | undefined
        try {
          await database.transaction(async ({ client, query }) => {
            await this.#rows.beginStep(query, projection, from)
            lent = new LentTransaction(database, this.#settings, client)
            await lent.run(work, (step) => this.#rows.endStep(query, projection, step))
          })
        } catch (error) {
          // Deferred constraints check what the work has written at the commit.
          throw lent === undefined ? error : lent.failureOf('COMMIT', error)
        }
      }),
    )
  }

  async readSql<Result>(work: (reading: SqlReading) => Promise<Result>, options: SqlReadingOptions): Promise<Result> {
    this.#calls.check()
    const limit = new ReadLimit(storeNamed(this.#schema), options)
    const read = this.#calls.run(() =>
      this.#connections.querying.take(async () => {
        if (limit.isOver) throw new Error('nobody waits for it')
        const database = this.#connections.forSteps(this.#settings)
        return database.transaction(
          (transaction) => new LentReading(database, this.#settings, transaction, limit).run(work),
          beginReading,
        )
      }),
    )
    try {
      return await limit.race(read)
    } catch (error) {
      throw errorOf(this.#schema, reading, error)
    } finally {
      limit.close()
    }
  }

  resetProjection(projection: string): Promise<void> {
    return this.#counted('resetting a projection', () => this.#rows.resetProjection(projection))
  }

  acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    return this.#counted('acquiring a lease', () => this.#rows.acquireLease(name, owner, durationMs))
  }

  releaseLease(name: string, owner: string): Promise<void> {
    return this.#counted('releasing a lease', () => this.#rows.releaseLease(name, owner))
  }

  close(): Promise<void> {
    return this.#calls.close(async () => {
      if (this.#settings.listen) this.#connections.listener(this.#settings).remove(this.#hearer)
      await this.#connections.close(this.#settings)
    })
  }

  /** Does something that `close` waits for. @throws errors of the catalogue, and what the caller's own code throws */
  async #counted<Result>(doing: string, act: () => Promise<Result>): Promise<Result> {
    this.#calls.check()
    try {
      return await this.#calls.run(act)
    } catch (error) {
      throw error instanceof WorkThrew ? error.thrown : errorOf(this.#schema, doing, error)
    }
  }

  /** Does something that no command waits for, when it has a turn. */
  #inTurn<Result>(doing: string, act: () => Promise<Result>): Promise<Result> {
    return this.#counted(doing, () => this.#connections.reading.take(act))
  }

  /** Reads, and reads once more if the connection was lost: the server may have been restarted. */
  async #read(...[text, values]: Parameters<RunQuery>): ReturnType<RunQuery> {
    this.#calls.check()
    try {
      return await this.#database.query(text, values, 'cancel')
    } catch (error) {
      if (!isLost(error)) throw error
      this.#calls.check()
      return this.#database.query(text, values, 'cancel')
    }
  }

  /** Writes, and writes again after a clash with another transaction. */
  async #write(...[text, values]: Parameters<RunQuery>): ReturnType<RunQuery> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#database.query(text, values)
      } catch (error) {
        if (!isClash(error) || tries >= triesMax) throw error
      }
    }
  }

  /**
   * Notifies the listeners, unless the position was announced before: a notification also comes for this process's own
   * appends.
   */
  #announce(position = Number.NaN): void {
    if (position <= this.#announced) return
    if (position > this.#announced) this.#announced = position
    this.#listeners.notify()
  }
}

function notListening(schema: string, error: unknown): StoreWarning {
  const reason = error instanceof Error ? error.message : String(error)
  const message = `${storeNamed(schema)} cannot listen for what other processes append: ${reason}. It keeps trying; meanwhile followers poll`
  return { code: 'NOT_LISTENING', message }
}
