/**
 * The door of every store. It checks each argument before the store sees it (`arguments.ts`), and refuses calls after
 * the store was closed. A store therefore need not check whether an id is valid or a range makes sense, and the same
 * mistake has the same code on all stores. The check adds no promise and no copy to a call. It also completes pages of
 * the log that would cut a commit in two (`whole-page.ts`).
 */
import { StoreError } from '../domain/error.ts'
import { checkId } from '../domain/id.ts'
import type { Json } from '../domain/json.ts'
import type { SqlReading, SqlReadingOptions, SqlTransaction } from '../domain/sql-transaction.ts'
import type { StreamId } from '../domain/stream.ts'
import {
  checkAppendOptions,
  checkFunction,
  checkLease,
  checkLeaseOwner,
  checkList,
  checkListRows,
  checkListStreams,
  checkLoadRows,
  checkLoadSnapshot,
  checkPlace,
  checkProjection,
  checkRead,
  checkReadAll,
  checkReserve,
  checkSnapshot,
  checkSqlReading,
  checkStep,
  checkStepEnd,
  checkStream,
  checkStreams,
} from './arguments.ts'
import type { Commit } from './commit.ts'
import { checkSizes } from './commit-size.ts'
import type { Range } from './range.ts'
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
  Store,
  StoredEvent,
  StoreFactory,
  StoreLimits,
  StreamEnd,
} from './store.ts'
import type { StreamList, StreamQuery } from './stream-list.ts'
import { readWholePage } from './whole-page.ts'

class CheckedStore implements Store {
  readonly name: string
  readonly limits: StoreLimits
  readonly singleWriter: boolean
  readonly #store: Store
  readonly #openedBy: OpenOptions['openedBy']
  #closing: Promise<void> | undefined

  constructor(store: Store, { openedBy }: OpenOptions) {
    this.name = store.name
    this.limits = store.limits
    this.singleWriter = store.singleWriter
    this.#store = store
    this.#openedBy = openedBy
  }

  append(commits: readonly Commit[], options?: AppendOptions): Promise<readonly AppendResult[]> {
    try {
      this.checkOpen()
      checkList('commits', commits)
      checkSizes(commits, this.limits)
      checkAppendOptions(options)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.append(commits, options)
  }

  readStream(stream: StreamId, range: Range, options?: ReadOptions): Promise<readonly StoredEvent[]> {
    try {
      this.checkOpen()
      checkStream(stream)
      checkRead(range, options)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.readStream(stream, range, options)
  }

  readAll(range: Range, options?: ReadAllOptions): Promise<Page> {
    try {
      this.checkOpen()
      checkReadAll(range, options)
    } catch (error) {
      return Promise.reject(error)
    }
    return readWholePage(this.#store, range, options)
  }

  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    try {
      this.checkOpen()
      checkStream(stream)
      checkId('the id of a commit', commitId)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.findCommit(stream, commitId)
  }

  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    try {
      this.checkOpen()
      checkStreams(streams)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.streamEnds(streams)
  }

  listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    try {
      this.checkOpen()
      checkListStreams(aggregate, query)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.listStreams(aggregate, query)
  }

  reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    try {
      this.checkOpen()
      checkReserve(streams, writer, durationMs)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.reserve(streams, writer, durationMs)
  }

  head(): Promise<number> {
    try {
      this.checkOpen()
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.head()
  }

  saveSnapshot(snapshot: Snapshot, options: { readonly keep: number }): Promise<void> {
    try {
      this.checkOpen()
      checkSnapshot(snapshot, options)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.saveSnapshot(snapshot, options)
  }

  loadSnapshot(stream: StreamId, options?: { readonly atOrBefore?: number }): Promise<Snapshot | undefined> {
    try {
      this.checkOpen()
      checkLoadSnapshot(stream, options)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.loadSnapshot(stream, options)
  }

  loadCheckpoint(projection: string): Promise<Checkpoint> {
    try {
      this.checkOpen()
      checkProjection(projection)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.loadCheckpoint(projection)
  }

  loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    try {
      this.checkOpen()
      checkLoadRows(projection, keys)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.loadRows(projection, keys)
  }

  loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    try {
      this.checkOpen()
      checkLoadRows(projection, keys)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.loadRowsWithCheckpoint(projection, keys)
  }

  listRows(projection: string, query: RowQuery): Promise<RowPage> {
    try {
      this.checkOpen()
      checkListRows(projection, query)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.listRows(projection, query)
  }

  saveStep(projection: string, step: ProjectionStep): Promise<void> {
    try {
      this.checkOpen()
      checkStep(projection, step)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.saveStep(projection, step)
  }

  resetProjection(projection: string): Promise<void> {
    try {
      this.checkOpen()
      checkProjection(projection)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.resetProjection(projection)
  }

  acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    try {
      this.checkOpen()
      checkLease(name, owner, durationMs)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.acquireLease(name, owner, durationMs)
  }

  releaseLease(name: string, owner: string): Promise<void> {
    try {
      this.checkOpen()
      checkLeaseOwner(name, owner)
    } catch (error) {
      return Promise.reject(error)
    }
    return this.#store.releaseLease(name, owner)
  }

  onAppend(listener: () => void): () => void {
    checkFunction('listener', listener)
    return this.#closing === undefined ? this.#store.onAppend(listener) : () => {}
  }

  close(): Promise<void> {
    this.#closing ??= this.#store.close()
    return this.#closing
  }

  /** Also for the class below. */
  protected checkOpen(): void {
    if (this.#closing === undefined) return
    const because = this.#openedBy === 'domain' && { because: 'its domain was stopped' }
    throw new StoreError('STORE_CLOSED', { store: this.name, ...because })
  }
}

type Work = (transaction: SqlTransaction) => Promise<Omit<ProjectionStep, 'from'>>

/** The methods of a store that keeps its rows in a SQL database. */
interface SqlMethods {
  readonly transact: NonNullable<Store['transact']>
  readonly readSql?: NonNullable<Store['readSql']>
}

/** The door of a store that keeps its rows in a SQL database. Other stores have no `transact`. */
class CheckedSqlStore extends CheckedStore {
  readonly #transact: NonNullable<Store['transact']>
  /** Absent if the store cannot read tables of users. */
  readonly readSql?: NonNullable<Store['readSql']>

  constructor(store: Store, options: OpenOptions, { transact, readSql }: SqlMethods) {
    super(store, options)
    this.#transact = transact
    if (readSql !== undefined) {
      this.readSql = async <Result>(work: (reading: SqlReading) => Promise<Result>, limits: SqlReadingOptions) => {
        this.checkOpen()
        checkFunction('work', work)
        checkSqlReading(limits)
        return readSql(work, limits) as Promise<Result>
      }
    }
  }

  transact(projection: string, from: CheckpointPlace, work: Work): Promise<void> {
    try {
      this.checkOpen()
      checkProjection(projection)
      checkPlace('from', from)
      checkFunction('work', work)
    } catch (error) {
      return Promise.reject(error)
    }
    // What the work returns is checked within the transaction. If it is invalid, the transaction is rolled back.
    return this.#transact(projection, from, async (transaction) => {
      const step = await work(transaction)
      checkStepEnd(from, step)
      return step
    })
  }
}

/** A store behind its door. */
function checkedStore(store: Store, options: OpenOptions): Store {
  const { transact, readSql } = store
  if (transact === undefined) return new CheckedStore(store, options)
  const methods = { transact: transact.bind(store), ...(readSql !== undefined && { readSql: readSql.bind(store) }) }
  return new CheckedSqlStore(store, options, methods)
}

/** A factory whose stores are behind their doors. */
export const checkedFactory = ({ name, open }: StoreFactory): StoreFactory =>
  Object.freeze({ name, open: async (options) => checkedStore(await open(options), options) } satisfies StoreFactory)
