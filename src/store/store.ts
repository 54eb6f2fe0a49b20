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
import type { SqlTransaction } from '../domain/sql-transaction.ts'
import type { StreamId } from '../domain/stream.ts'
import type { StoreWarning } from '../runtime/warning.ts'
import type { CommandMark, Commit } from './commit.ts'
import type { Range } from './range.ts'

export type { SqlTransaction, SqlValue } from '../domain/sql-transaction.ts'

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
   * A whole number that tells this event from every other: the same each time it is read, another one for another event
   * at this place. A durable store keeps it with the event, over all that is stored of it, and checks it at every read.
   */
  readonly checksum: number
}

/** Where a commit stands: the places of its last event, and how many events it has. */
export interface Receipt {
  readonly sequence: number
  readonly position: number
  readonly count: number
  /** Of its last event. */
  readonly checksum: number
  /** Which command it was stored for, if the commit said so. */
  readonly command?: CommandMark
}

/** The end of a stream. */
export interface StreamEnd {
  /** The last sequence; 0 if the stream has no event. */
  readonly sequence: number
  /** Of the event there; 0 if there is none. */
  readonly checksum: number
}

/** A place in the log that can be recognised. Every stored event is one. */
export interface LogPlace {
  readonly position: number
  /** Of the event at the position. Without it only the position is compared. */
  readonly checksum?: number
}

/**
 * What became of a commit: stored now, stored earlier under the same id, or not stored because the stream is not as
 * expected (`sequence` says how far it is) or is reserved for another writer.
 */
export type AppendResult =
  | ({ readonly status: 'stored' } & Receipt)
  | ({ readonly status: 'duplicate' } & Receipt)
  | { readonly status: 'conflict'; readonly sequence: number; readonly reserved?: boolean }

export interface AppendOptions {
  /** Who appends, so that it may write to streams that are reserved for it. */
  readonly writer?: string
}

/** Bounds on what one commit may be. */
export interface StoreLimits {
  /** The estimated characters of JSON in a commit (`commit.size`). */
  readonly commitSizeMax: number
  readonly commitEventsMax: number
}

export interface ReadOptions {
  /**
   * At most so many events, 1,000 by default. 0 gives none. A page of the log goes on to the end of the commit that it
   * is in.
   */
  readonly limit?: number
  /** 'forward' (the default) or 'backward', newest first. */
  readonly direction?: 'forward' | 'backward'
  /** Ends the read with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Filters are met by events that are of one of the types, of one of the aggregates, and carry all of the tags. */
export interface ReadAllOptions extends ReadOptions {
  readonly types?: readonly string[]
  readonly aggregates?: readonly string[]
  readonly tags?: readonly string[]
  /**
   * A place that the reader has read before. If the log does not hold it as the reader knows it, the read fails instead
   * of going on in another log. Position 0 is in every log.
   */
  readonly behind?: LogPlace
}

/**
 * Some events of the global log. The limit applies after the filters. A page cuts no commit in two: where its limit is
 * met within one, it goes on to the end of that commit, so it may hold a few events more. Only the bounds of the range
 * cut.
 */
export interface Page {
  readonly events: readonly StoredEvent[]
  /**
   * Every position of the range up to this one (down to this one, if backward) has been examined: a reader goes on
   * behind it and misses nothing, no matter what the filters left out. If the limit ended the page, it is the last
   * event's position, or the end of that event's commit; else the end of what there was, and `from - 1` (backward:
   * `from`) if there was nothing.
   */
  readonly examined: number
  /** Of the event at `examined`, filtered or not; 0 if there is none. Together they are a place to read on behind. */
  readonly checksum: number
  /**
   * Whether there was nothing more in the range when it was read. A page may be smaller than its limit and still not be
   * the last: a store cuts pages that would be too large, or would take too long to find. `false` where that is
   * unknown.
   */
  readonly isLast: boolean
}

export interface EventStore {
  readonly name: string
  readonly limits: StoreLimits
  /** Whether nobody else can write while it is open: what its owner knows of a stream's end is then true. */
  readonly singleWriter: boolean

  /**
   * Stores commits as one batch: one transaction, one sync. Each succeeds or conflicts by itself, in order, against the
   * state that the ones before it left. One rule binds the commits of one call: once a commit was not stored by this
   * batch (conflict or duplicate), the later commits to the same stream that expect an exact sequence conflict too,
   * since they were decided on its events. Their own ids are looked up first all the same. Concurrent calls are safe; a
   * store may gather them. A commit to a stream that is reserved for another writer (`reserve`) conflicts as well.
   *
   * @returns one result a commit, in order; `[]` for no commits
   * @throws InputError `COMMIT_TOO_LARGE` before anything is written
   * @throws StoreError `STORE_FULL`, `STORE_READ_ONLY`, `STORE_HALTED`, `STORE_CLOSED`, `NOT_STORED`: certainly nothing
   *   was stored. `STORE_UNAVAILABLE`: it is unknown; appending the same commits again is safe and gives the answer.
   */
  append(commits: readonly Commit[], options?: AppendOptions): Promise<readonly AppendResult[]>

  /**
   * Events of a stream with sequences in the range. An unknown stream has none. Fewer than the limit are all that there
   * are.
   */
  readStream(stream: StreamId, range: Range, options?: ReadOptions): Promise<readonly StoredEvent[]>

  /**
   * Events of the global log with positions in the range, filtered.
   *
   * @throws StoreError `LOG_REPLACED` if `behind` is not a place of this log
   */
  readAll(range: Range, options?: ReadAllOptions): Promise<Page>

  /** Where the commit with this id stands in the stream, if it is stored. */
  findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined>

  /**
   * Where streams end, in the order asked for. Every commit that was acknowledged before the call counts, no matter
   * which process appended it: an answer that is based on a stream's state is true if the stream still ends where that
   * state does.
   */
  streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]>

  /**
   * Reserves streams for a writer, so that others' appends to them conflict until it has appended, or until the time is
   * over by the store's clock. A reservation makes sure that a writer who keeps losing gets its turn; the expectation
   * of a commit alone decides what is stored. Repeating the call renews the reservation; the writer's next append to a
   * stream that stores something ends it.
   *
   * @param durationMs 60,000 at most
   * @returns for each stream whether it is reserved for this writer now
   */
  reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]>

  /** The last position; 0 if the store is empty. */
  head(): Promise<number>

  /**
   * Calls back after appends, as a hint: it may come early, late, once for many, or never (from other processes).
   * Register before reading, or a hint may be lost; `follow` does so.
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
  /** Of the event at the sequence: a snapshot of another log has another one. */
  readonly checksum: number
  /** Tells the functions that made the state from others. */
  readonly fingerprint: string
  readonly state: Json
  /** In milliseconds since 1970. */
  readonly takenAt: number
}

export interface SnapshotStore {
  /**
   * Keeps a snapshot, and the newest `keep` (1 or more) of the stream in all. An older one never replaces a newer one.
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

/** How far a projection is, as far as a save compares it. */
export interface CheckpointPlace {
  /** The last position that it has handled; 0 before the first. */
  readonly position: number
  /** Raised by the runner that takes the projection over, so that the runner before it can save nothing more. */
  readonly term: number
}

export interface Checkpoint extends CheckpointPlace {
  /** What is kept with it. No store looks into it. */
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
 * What the field of a row, at the top of its JSON, is to be: one of some values, or a number within bounds that belong
 * to it. An object counts as within all bounds: numbers that JSON lacks, as infinity, are kept as objects
 * (`domain/encoding.ts`).
 */
export type Condition =
  | { readonly field: string; readonly oneOf: readonly (string | number | boolean)[] }
  | { readonly field: string; readonly least?: number; readonly most?: number }

/** Which rows of a projection to list. */
export interface RowQuery {
  /** Only rows behind this key. */
  readonly after?: string
  /** Only rows whose keys begin so. */
  readonly prefix?: string
  /**
   * Conditions that a row must meet. They are a hint: a store may leave out rows that do not meet all of them, or give
   * them anyway. It never leaves out a row that does.
   */
  readonly where?: readonly Condition[]
  /** At most so many rows, after the conditions; from 1, or infinite. */
  readonly limit: number
}

/**
 * Some rows in order. A page may have fewer rows than its limit, even none, and not be the last: a store ends it where
 * its rows are large, or where it has looked at many rows and few of them meet the conditions. The cost of a page is
 * therefore bounded for any rows.
 */
export interface RowPage {
  readonly rows: readonly Row[]
  /**
   * The key behind which the next page begins. It is not a key of this page if the store looked further. Absent if no
   * row is left.
   */
  readonly next?: string
}

export interface ProjectionStore {
  /** Where the projection is: at position 0 in term 0, with nothing noted, before its first step. */
  loadCheckpoint(projection: string): Promise<Checkpoint>
  /** The values of rows, in the order of the keys; `undefined` where there is none. */
  loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]>
  /**
   * Rows ordered by key, in the store's own order; in it, keys that begin alike are neighbours, and keys of ASCII
   * characters alone come in the order of their bytes.
   */
  listRows(projection: string, query: RowQuery): Promise<RowPage>
  /**
   * Saves a step, also one that moves nothing, durably unless the step says otherwise. The checkpoint's position and
   * its term are compared.
   *
   * @throws ConflictError `CHECKPOINT_CONFLICT` if the checkpoint is not at `from`; nothing is changed then
   */
  saveStep(projection: string, step: ProjectionStep): Promise<void>
  /**
   * Saves a step whose work also writes tables of its own, in one transaction: all of it is there, or nothing. Only
   * stores that keep rows in a SQL database have it. The checkpoint is compared before `work` is called, and nobody
   * else can move it until the end. Then what `work` returns is saved. The transaction is good until `work` settles.
   *
   * @throws ConflictError `CHECKPOINT_CONFLICT`, and `work` is not called; what `work` throws, and nothing is changed;
   *   StoreError, `STORE_UNAVAILABLE` if it is unknown whether the step was saved
   */
  transact?(
    projection: string,
    from: CheckpointPlace,
    work: (transaction: SqlTransaction) => Promise<Pick<ProjectionStep, 'to' | 'rows'>>,
  ): Promise<void>
  /** Forgets the rows and the checkpoint, in one transaction. */
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
   * Takes or renews a lease; it expires `durationMs` from now by the store's clock.
   *
   * @returns the lease as it is now: it is the caller's if its `owner` is the caller
   */
  acquireLease(name: string, owner: string, durationMs: number): Promise<Lease>
  /** Gives a lease back. Does nothing if it is another's. */
  releaseLease(name: string, owner: string): Promise<void>
}

/** A store with all its parts, opened. */
export interface Store extends EventStore, SnapshotStore, ProjectionStore, LeaseStore {
  /** Waits for calls under way, then releases everything. Calling it again does nothing. */
  close(): Promise<void>
}

/** What a store gets when it is opened. */
export interface OpenOptions {
  /** Takes warnings: what was found and repaired at opening, what failed without harm. */
  readonly warn: (warning: StoreWarning) => void
  /** The present time in milliseconds since 1970. */
  readonly now: () => number
  /** 'domain' if a domain opens the store and closes it again: an error after that says that the domain was stopped. */
  readonly openedBy?: 'domain'
}

/** A place and a kind of store, not opened yet: what `start({ store })` takes. */
export interface StoreFactory {
  readonly name: string
  /** @throws StoreError if it cannot be opened, or is not what it should be */
  open(options: OpenOptions): Promise<Store>
}
