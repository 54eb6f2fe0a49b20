/**
 * The port: what every store promises. `docs/ARCHITECTURE.md` says why; the conformance kit in `mneme/testing` checks
 * it.
 *
 * 1. A commit is stored whole or not at all, and never changes.
 * 2. Sequences in a stream, and positions in the log, are 1, 2, 3 ... without gaps. A commit's events are adjacent.
 * 3. No reader ever sees a position before every position below it.
 * 4. A commit that `append` answered is durable (unless an option whose name says so weakens this) and readable at
 *    once.
 * 5. The same commit id on the same stream again changes nothing and answers with what was stored.
 */

import type { Json, JsonObject } from '../domain/json.ts'
import type { SqlReading, SqlReadingOptions, SqlTransaction } from '../domain/sql-transaction.ts'
import type { StreamId } from '../domain/stream.ts'
import type { StoreWarning } from '../runtime/warning.ts'
import type { CommandMark, Commit } from './commit.ts'
import type { Range } from './range.ts'
import type { StreamList, StreamQuery } from './stream-list.ts'

export type { SqlValue } from '../domain/sql-statement.ts'
export type { SqlReading, SqlReadingOptions, SqlTransaction } from '../domain/sql-transaction.ts'

/** An event as it is read: JSON, not yet upcast to its newest revision. */
export interface StoredEvent {
  readonly stream: StreamId
  readonly type: string
  readonly revision: number
  readonly data: Json
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  readonly sequence: number
  readonly position: number
  /** In milliseconds since 1970. */
  readonly recordedAt: number
  readonly commitId: string
  /**
   * A whole number that identifies this event: the same at each read, and different for another event at this place. A
   * durable store keeps it with the event, over all that is stored of it, and checks it at every read.
   */
  readonly checksum: number
}

/** Where a commit is: sequence and position of its last event, and its number of events. */
export interface Receipt {
  readonly sequence: number
  readonly position: number
  readonly count: number
  /** The checksum of its last event. */
  readonly checksum: number
  /** The command for which it was stored, if the commit named one. */
  readonly command?: CommandMark
}

/** The end of a stream. */
export interface StreamEnd {
  /** The last sequence; 0 if the stream has no event. */
  readonly sequence: number
  /** The checksum of the event there; 0 if there is none. */
  readonly checksum: number
}

/** A place in the log that can be recognised. Every stored event is one. */
export interface LogPlace {
  readonly position: number
  /** The checksum of the event at the position. Without it only the position is compared. */
  readonly checksum?: number
}

/**
 * The result of a commit: stored now, stored earlier under the same id, or not stored because the stream is not as
 * expected (`sequence` is its last sequence) or is reserved for another writer.
 */
export type AppendResult =
  | ({ readonly status: 'stored' } & Receipt)
  | ({ readonly status: 'duplicate' } & Receipt)
  | { readonly status: 'conflict'; readonly sequence: number; readonly reserved?: boolean }

export interface AppendOptions {
  /** The writer. It may write to streams that are reserved for it. */
  readonly writer?: string
}

/** Bounds of a commit. */
export interface StoreLimits {
  /** The estimated characters of JSON in a commit (`commit.size`). */
  readonly commitSizeMax: number
  readonly commitEventsMax: number
}

export interface ReadOptions {
  /**
   * The greatest number of events, 1,000 by default. 0 returns none. A page of the log goes on to the end of its last
   * commit.
   */
  readonly limit?: number
  /** 'forward' (the default) or 'backward', newest first. */
  readonly direction?: 'forward' | 'backward'
  /** Ends the read with the signal's reason. */
  readonly signal?: AbortSignal
}

/** An event matches the filters if it has one of the types, is of one of the aggregates, and has all of the tags. */
export interface ReadAllOptions extends ReadOptions {
  readonly types?: readonly string[]
  readonly aggregates?: readonly string[]
  readonly tags?: readonly string[]
  /**
   * A place that the reader has read. If the log does not have it, the read fails instead of continuing in another log.
   * Position 0 is in every log.
   */
  readonly behind?: LogPlace
}

/**
 * Some events of the global log. The limit applies after the filters. A page cuts no commit in two: it may go over its
 * limit to the end of a commit. Only the bounds of the range cut.
 */
export interface Page {
  readonly events: readonly StoredEvent[]
  /**
   * Every position of the range up to this one (down to this one, if backward) has been examined. A reader continues
   * after it and misses nothing, whatever the filters left out. If the limit ended the page, it is the position of the
   * last event, or the end of that event's commit. Otherwise it is the end of what there was, and `from - 1` (backward:
   * `from`) if there was nothing.
   */
  readonly examined: number
  /**
   * The checksum of the event at `examined`, filtered or not; 0 if there is none. Both together are a place to continue
   * from.
   */
  readonly checksum: number
  /**
   * Whether there was nothing more in the range when it was read. A page may be smaller than its limit and still not be
   * the last: a store cuts pages that would be too large or take too long. `false` if it is unknown.
   */
  readonly isLast: boolean
}

export interface EventStore {
  readonly name: string
  readonly limits: StoreLimits
  /** Whether no other process can write while it is open. What its owner knows of the end of a stream is then true. */
  readonly singleWriter: boolean

  /**
   * Stores commits as one batch: one transaction, one sync. Each commit succeeds or conflicts on its own, in order, on
   * the state that the previous ones left. One rule binds the commits of one call: if a commit was not stored by this
   * batch (conflict or duplicate), later commits to the same stream that expect an exact sequence conflict too, because
   * they were decided on its events. Their ids are still looked up first. Concurrent calls are safe, and a store may
   * gather them. A commit to a stream that is reserved for another writer (`reserve`) conflicts as well.
   *
   * @returns one result for each commit, in order; `[]` for no commits
   * @throws InputError `COMMIT_TOO_LARGE` before anything is written
   * @throws StoreError `STORE_FULL`, `STORE_READ_ONLY`, `STORE_HALTED`, `STORE_CLOSED`, `NOT_STORED`: certainly nothing
   *   was stored. `STORE_UNAVAILABLE`, `LOG_UNFINISHED`: that is unknown; appending the same commits again is safe and
   *   returns the result.
   */
  append(commits: readonly Commit[], options?: AppendOptions): Promise<readonly AppendResult[]>

  /**
   * Events of a stream with sequences in the range. An unknown stream has none. If there are fewer than the limit,
   * there are no more.
   */
  readStream(stream: StreamId, range: Range, options?: ReadOptions): Promise<readonly StoredEvent[]>

  /**
   * Events of the global log with positions in the range, filtered.
   *
   * @throws StoreError `LOG_REPLACED` if `behind` is not a place of this log
   */
  readAll(range: Range, options?: ReadAllOptions): Promise<Page>

  /** Where the commit with this id is in the stream, if it is stored. */
  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined>

  /**
   * Where streams end, in the order of the argument. Every commit that was acknowledged before the call counts,
   * whichever process appended it. An answer that is based on a stream's state is therefore true if the stream still
   * ends where that state does.
   */
  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]>

  /**
   * The ids of an aggregate's streams, of those that have events. They are ordered as rows are (`listRows`).
   */
  listStreams(aggregate: string, query: StreamQuery): Promise<StreamList>

  /**
   * Reserves streams for a writer. Appends of other writers to them conflict until it has appended, or until the time
   * is over by the store's clock. A reservation gives a turn to a writer that keeps losing. Only the expectation of a
   * commit decides what is stored. Repeating the call renews the reservation, also for a shorter time. The writer's
   * next append that stores something in the stream ends it.
   *
   * @param durationMs 60,000 at most
   * @returns for each stream whether it is reserved for this writer now
   */
  reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]>

  /** The last position; 0 if the store is empty. */
  head(): Promise<number>

  /**
   * Calls back after appends, as a hint: the call may come early, late, once for many appends, or never (for other
   * processes). Register before reading, or a hint may be lost; `follow` does so.
   *
   * @returns a function that ends it
   */
  onAppend(listener: () => void): () => void
}

/** An aggregate's state at a sequence. An optimisation, never the truth. */
export interface Snapshot {
  readonly stream: StreamId
  readonly sequence: number
  /** The revision of the state's shape. */
  readonly stateRevision: number
  /** The checksum of the event at the sequence. It shows whether the snapshot belongs to this log. */
  readonly checksum: number
  /** Identifies the functions that made the state. */
  readonly fingerprint: string
  readonly state: Json
  /** In milliseconds since 1970. */
  readonly takenAt: number
}

export interface SnapshotStore {
  /**
   * Saves a snapshot, and keeps the newest `keep` (1 or more) of the stream. An older one never replaces a newer one.
   */
  saveSnapshot(snapshot: Snapshot, options: { readonly keep: number }): Promise<void>
  /** The newest snapshot of a stream, or the newest at or before a sequence. */
  loadSnapshot(stream: StreamId, options?: { readonly atOrBefore?: number }): Promise<Snapshot | undefined>
}

/** A row of a projection; without a value it is deleted. */
export interface Row {
  readonly key: string
  readonly value: Json | undefined
}

/** The part of a checkpoint that a save compares. */
export interface CheckpointPlace {
  /** The last position that it has handled; 0 before the first. */
  readonly position: number
  /** Raised by the runner that takes the projection over, so that the runner before it can save nothing more. */
  readonly term: number
}

export interface Checkpoint extends CheckpointPlace {
  /** Data that is stored with it. No store looks into it. */
  readonly note: JsonObject
}

/** A step of a projection: rows and checkpoint change together, or not at all. */
export interface ProjectionStep {
  /** The checkpoint that the step was computed from. */
  readonly from: CheckpointPlace
  /** The checkpoint after it. Its term is not below that of `from`, nor its position, unless the term rises. */
  readonly to: Checkpoint
  /** If a key is there twice, the last one counts. */
  readonly rows: readonly Row[]
  /**
   * Whether a power failure may undo it, with all later steps of the projection, because its work can be done again.
   * Otherwise it is durable when `saveStep` resolves.
   */
  readonly mayBeLost?: boolean
}

/**
 * A condition on a field at the top level of a row's JSON: one of some values, or a number within bounds, which are
 * included. An object counts as within all bounds, because numbers that JSON lacks, such as infinity, are stored as
 * objects (`domain/encoding.ts`).
 */
export type Condition =
  | { readonly field: string; readonly oneOf: readonly (string | number | boolean)[] }
  | { readonly field: string; readonly least?: number; readonly most?: number }

/** Which rows of a projection to list. */
export interface RowQuery {
  /** Only rows after this key. */
  readonly after?: string
  /** Only rows whose keys begin with this text. */
  readonly prefix?: string
  /**
   * Conditions that a row must meet. They are a hint: a store may leave out rows that do not meet all of them, or
   * return them anyway. It never leaves out a row that does.
   */
  readonly where?: readonly Condition[]
  /** The greatest number of rows, after the conditions; from 1, or infinite. */
  readonly limit: number
}

/**
 * Some rows in order. A page may have fewer rows than its limit, even none, and not be the last. A store ends it when
 * its rows are large, or when it has looked at many rows and few of them met the conditions. The cost of a page is
 * therefore bounded for any rows.
 */
export interface RowPage {
  readonly rows: readonly Row[]
  /**
   * The key after which the next page begins. It is not a key of this page if the store looked further. Absent if no
   * row is left.
   */
  readonly next?: string
}

/** The values of rows, in the order of their keys, and the checkpoint beside them. */
export interface RowsWithCheckpoint {
  readonly checkpoint: Checkpoint
  readonly values: readonly (Json | undefined)[]
}

export interface ProjectionStore {
  readonly name: string
  /** The checkpoint of a projection. Before the first step it is at position 0 in term 0, with an empty note. */
  loadCheckpoint(projection: string): Promise<Checkpoint>
  /** The values of rows, in the order of the keys; `undefined` where there is none. */
  loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]>
  /** The same rows with the checkpoint, as they are together at one moment. */
  loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint>
  /**
   * Rows ordered by key, in the store's own order. In every store keys with the same beginning are neighbours, and keys
   * of only ASCII characters are in the order of their bytes.
   */
  listRows(projection: string, query: RowQuery): Promise<RowPage>
  /**
   * Saves a step, even one that moves nothing. It is durable unless the step says otherwise. Position and term of the
   * checkpoint are compared.
   *
   * @throws ConflictError `CHECKPOINT_CONFLICT` if the checkpoint is not at `from`; then nothing is changed
   */
  saveStep(projection: string, step: ProjectionStep): Promise<void>
  /**
   * Saves a step whose work also writes tables of its own, in one transaction: everything is saved, or nothing. Only
   * stores that keep rows in a SQL database have it. The checkpoint is compared before `work` is called, and no other
   * process can move it until the end. Then the result of `work` is saved. The transaction is valid until `work`
   * settles.
   *
   * @throws ConflictError `CHECKPOINT_CONFLICT`, and `work` is not called; the error of `work`, and nothing is changed;
   *   StoreError, `STORE_UNAVAILABLE` if it is unknown whether the step was saved
   */
  transact?(
    projection: string,
    from: CheckpointPlace,
    work: (transaction: SqlTransaction) => Promise<Pick<ProjectionStep, 'to' | 'rows'>>,
  ): Promise<void>
  /**
   * Reads tables of users. All statements of `work` see the same moment of the database, which is not before the call.
   * None can write. Only stores that keep rows in a SQL database have it. The reading is valid until `work` settles.
   *
   * @throws the error of `work`; the signal's reason; StoreError `SQL_FAILED`, `RESULT_TOO_LARGE` from a query,
   *   `READ_TOO_LONG`
   */
  readSql?<Result>(work: (reading: SqlReading) => Promise<Result>, options: SqlReadingOptions): Promise<Result>
  /** Deletes the rows and the checkpoint, in one transaction. */
  resetProjection(projection: string): Promise<void>
}

/** The right to do something alone, until it expires. */
export interface Lease {
  readonly owner: string
  /** In milliseconds since 1970, by the store's clock. */
  readonly expiresAt: number
}

export interface LeaseStore {
  /**
   * Takes or renews a lease. It expires `durationMs` from now by the store's clock.
   *
   * @returns the lease as it is now; it is the caller's if its `owner` is the caller
   */
  acquireLease(name: string, owner: string, durationMs: number): Promise<Lease>
  /** Gives a lease back. Does nothing if it is another's. */
  releaseLease(name: string, owner: string): Promise<void>
}

/** A store with all its parts, opened. */
export interface Store extends EventStore, SnapshotStore, ProjectionStore, LeaseStore {
  /** Waits for calls in progress, then releases everything. Calling it again does nothing. */
  close(): Promise<void>
}

/** The options with which a store is opened. */
export interface OpenOptions {
  /** Takes warnings: damage that was repaired at opening, failures that did no harm. */
  readonly warn: (warning: StoreWarning) => void
  /** The present time in milliseconds since 1970. */
  readonly now: () => number
  /** 'domain' if a domain opens the store and closes it again: an error after that says that the domain was stopped. */
  readonly openedBy?: 'domain'
}

/** A store that is not opened yet, as `start({ store })` takes it. */
export interface StoreFactory {
  readonly name: string
  /** @throws StoreError if it cannot be opened, or is damaged */
  open(options: OpenOptions): Promise<Store>
}
