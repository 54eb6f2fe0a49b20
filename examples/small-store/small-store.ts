/** The small store: it passes each call on to the part that keeps the data. */
import type {
  AppendOptions,
  AppendResult,
  Checkpoint,
  Commit,
  Json,
  Lease,
  Page,
  ProjectionStep,
  Range,
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
  StreamId,
  StreamList,
  StreamQuery,
} from '../../src/index.ts'
import { keyOf, type SmallLog } from './log/small-log.ts'
import type { Leases } from './rows/leases.ts'
import type { SmallRows } from './rows/small-rows.ts'

/** What all openings of a factory share. */
export interface SmallData {
  readonly log: SmallLog
  readonly rows: SmallRows
  readonly leases: Leases
  readonly reservations: Leases
  readonly listeners: Set<() => void>
}

export class SmallStore implements Store {
  readonly name = 'small'
  readonly limits: StoreLimits = { commitSizeMax: 8_000_000, commitEventsMax: 10_000 }
  /** The factory may be opened several times. */
  readonly singleWriter = false
  readonly #data: SmallData
  readonly #now: () => number

  constructor(data: SmallData, now: () => number) {
    this.#data = data
    this.#now = now
  }

  // #region append
  async append(commits: readonly Commit[], { writer }: AppendOptions = {}): Promise<readonly AppendResult[]> {
    const { log, reservations, listeners } = this.#data
    const now = this.#now()
    const results = log.append(commits, (stream) => {
      const holder = reservations.holder(keyOf(stream), now)
      return holder !== undefined && holder.owner !== writer
    })
    for (const [i, { stream }] of commits.entries()) {
      if (writer !== undefined && results[i]!.status === 'stored') reservations.release(keyOf(stream), writer)
    }
    for (const listener of listeners) listener()
    return results
  }

  async reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    const now = this.#now()
    return streams.map((stream) => {
      return this.#data.reservations.take(keyOf(stream), writer, { durationMs, now }).owner === writer
    })
  }

  onAppend(listener: () => void): () => void {
    const own = () => {
      try {
        listener()
      } catch {
        // A lost hint does no harm: every follower of the log also polls.
      }
    }
    this.#data.listeners.add(own)
    return () => this.#data.listeners.delete(own)
  }
  // #endregion

  async readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    return this.#data.log.readStream(stream, range, options)
  }

  async readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    return this.#data.log.readAll(range, options)
  }

  async findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    return this.#data.log.findCommit(stream, commitId)
  }

  async streamEnds(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    return streams.map((stream) => this.#data.log.endOf(stream))
  }

  async listStreams(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#data.log.listStreams(aggregate, query)
  }

  async head(): Promise<number> {
    return this.#data.log.head
  }

  async saveSnapshot(snapshot: Snapshot, { keep }: { readonly keep: number }): Promise<void> {
    this.#data.rows.saveSnapshot(snapshot, keep)
  }

  async loadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } = {}): Promise<Snapshot | undefined> {
    return this.#data.rows.loadSnapshot(stream, options.atOrBefore ?? Number.POSITIVE_INFINITY)
  }

  async loadCheckpoint(projection: string): Promise<Checkpoint> {
    return this.#data.rows.loadCheckpoint(projection)
  }

  async loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return this.#data.rows.loadRows(projection, keys)
  }

  async loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    const { rows } = this.#data
    return { checkpoint: rows.loadCheckpoint(projection), values: rows.loadRows(projection, keys) }
  }

  async listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#data.rows.listRows(projection, query)
  }

  async saveStep(projection: string, step: ProjectionStep): Promise<void> {
    this.#data.rows.saveStep(projection, step)
  }

  async resetProjection(projection: string): Promise<void> {
    this.#data.rows.resetProjection(projection)
  }

  // #region leases
  async acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    return this.#data.leases.take(name, owner, { durationMs, now: this.#now() })
  }

  async releaseLease(name: string, owner: string): Promise<void> {
    this.#data.leases.release(name, owner)
  }
  // #endregion

  async close(): Promise<void> {}
}
