/**
 * The store in memory: for tests and for work that may be forgotten. It keeps the whole contract but durability, in plain
 * arrays and maps, and does everything synchronously behind its promises. The data belongs to the factory, so a domain
 * that is stopped and started again on the same one finds it.
 */
import { StoreError } from '../../domain/error.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Commit } from '../commit.ts'
import { checkSizes, isMet } from '../expected.ts'
import { Listeners } from '../listeners.ts'
import { examinedBy, matches, readOptions } from '../page.ts'
import type { Range } from '../range.ts'
import type {
  AppendResult,
  Lease,
  Page,
  ProjectionStep,
  ReadAllOptions,
  ReadOptions,
  Receipt,
  Row,
  Snapshot,
  Store,
  StoredEvent,
  StoreFactory,
  StoreLimits,
} from '../store.ts'
import { MemoryDocuments } from './memory-documents.ts'

/** What one stream holds: its events, and under each commit id the index of the commit's last event. */
interface Stream {
  readonly id: StreamId
  readonly events: StoredEvent[]
  readonly commits: Map<string, number>
}

/** The contents: shared by every store that one factory opens. */
class MemoryLog {
  readonly events: StoredEvent[] = []
  readonly aggregates = new Map<string, Map<string, Stream>>()
  readonly listeners: Listeners = new Listeners()

  find({ aggregate, id }: StreamId): Stream | undefined {
    return this.aggregates.get(aggregate)?.get(id)
  }

  findOrAdd(id: StreamId): Stream {
    const streams = this.aggregates.get(id.aggregate) ?? new Map<string, Stream>()
    if (streams.size === 0) this.aggregates.set(id.aggregate, streams)
    const stream = streams.get(id.id) ?? { id, events: [], commits: new Map() }
    if (stream.events.length === 0) streams.set(id.id, stream)
    return stream
  }
}

const limits: StoreLimits = { commitSizeMax: 8_000_000, commitEventsMax: 10_000 }

class MemoryStore implements Store {
  readonly name = 'memory'
  readonly limits: StoreLimits = limits
  readonly #log: MemoryLog
  readonly #documents: MemoryDocuments
  readonly #now: () => number
  #closed = false

  constructor(log: MemoryLog, documents: MemoryDocuments, now: () => number) {
    this.#log = log
    this.#documents = documents
    this.#now = now
  }

  async append(commits: readonly Commit[]): Promise<readonly AppendResult[]> {
    this.#checkOpen()
    checkSizes(commits, this.limits)
    const broken = new Set<Stream>()
    const results = commits.map((commit) => this.#appendOne(commit, broken))
    if (commits.length > 0) this.#log.listeners.notify()
    return results
  }

  #appendOne(commit: Commit, broken: Set<Stream>): AppendResult {
    const known = this.#log.find(commit.stream)
    const sequence = known?.events.length ?? 0
    const stored = known && receipt(known, commit.id)
    if (known !== undefined && stored !== undefined) {
      broken.add(known)
      return { status: 'duplicate', ...stored }
    }
    if (!isMet(commit.expected, sequence, known !== undefined && broken.has(known))) {
      broken.add(known ?? this.#log.findOrAdd(commit.stream))
      return { status: 'conflict', sequence }
    }
    const stream = known ?? this.#log.findOrAdd(commit.stream)
    this.#store(stream, commit)
    const count = commit.events.length
    return { status: 'stored', sequence: sequence + count, position: this.#log.events.length, count }
  }

  #store(stream: Stream, { id: commitId, recordedAt, events }: Commit): void {
    const log = this.#log.events
    for (const { type, revision, data, metadata, tags } of events) {
      const event: StoredEvent = {
        stream: stream.id,
        type,
        revision,
        data,
        metadata,
        tags,
        sequence: stream.events.length + 1,
        position: log.length + 1,
        recordedAt,
        commitId,
      }
      Object.freeze(event)
      stream.events.push(event)
      log.push(event)
    }
    stream.commits.set(commitId, stream.events.length - 1)
  }

  async readStream(stream: StreamId, range: Range, options: ReadOptions = {}): Promise<readonly StoredEvent[]> {
    this.#checkOpen()
    const { limit, backward } = readOptions(options)
    return slice(this.#log.find(stream)?.events ?? [], range, limit, backward, () => true)
  }

  async readAll(range: Range, options: ReadAllOptions = {}): Promise<Page> {
    this.#checkOpen()
    const paging = readOptions(options)
    const log = this.#log.events
    const events = slice(log, range, paging.limit, paging.backward, (event) => matches(options, event))
    return { events, examined: examinedBy(events, range, paging, log.length) }
  }

  async findCommit(stream: StreamId, commitId: string): Promise<Receipt | undefined> {
    this.#checkOpen()
    const known = this.#log.find(stream)
    return known && receipt(known, commitId)
  }

  async head(): Promise<number> {
    this.#checkOpen()
    return this.#log.events.length
  }

  onAppend(listener: () => void): () => void {
    return this.#log.listeners.add(listener)
  }

  async saveSnapshot(snapshot: Snapshot, { keep }: { readonly keep: number }): Promise<void> {
    this.#checkOpen()
    this.#documents.saveSnapshot(snapshot, keep)
  }

  async loadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } = {}): Promise<Snapshot | undefined> {
    this.#checkOpen()
    return this.#documents.loadSnapshot(stream, options.atOrBefore ?? Number.POSITIVE_INFINITY)
  }

  async loadCheckpoint(projection: string): Promise<number> {
    this.#checkOpen()
    return this.#documents.loadCheckpoint(projection)
  }

  async loadRows(projection: string, keys: readonly string[]): Promise<readonly Row['value'][]> {
    this.#checkOpen()
    return this.#documents.loadRows(projection, keys)
  }

  async listRows(
    projection: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly Row[]> {
    this.#checkOpen()
    return this.#documents.listRows(projection, page)
  }

  async saveStep(projection: string, step: ProjectionStep): Promise<void> {
    this.#checkOpen()
    this.#documents.saveStep(projection, step)
  }

  async resetProjection(projection: string): Promise<void> {
    this.#checkOpen()
    this.#documents.resetProjection(projection)
  }

  async acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    this.#checkOpen()
    return this.#documents.acquireLease(name, owner, durationMs, this.#now())
  }

  async releaseLease(name: string, owner: string): Promise<void> {
    this.#checkOpen()
    this.#documents.releaseLease(name, owner)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('STORE_CLOSED', { store: this.name })
  }
}

function receipt({ commits, events }: Stream, commitId: string): Receipt | undefined {
  const lastIndex = commits.get(commitId)
  if (lastIndex === undefined) return undefined
  let first = lastIndex
  while (first > 0 && events[first - 1]!.commitId === commitId) first--
  const { sequence, position } = events[lastIndex]!
  return { sequence, position, count: lastIndex - first + 1 }
}

/** The events whose place (their index + 1) lies in the range and that pass, in reading order, up to the limit. */
function slice(
  events: readonly StoredEvent[],
  { from, to }: Range,
  limit: number,
  backward: boolean,
  passes: (event: StoredEvent) => boolean,
): readonly StoredEvent[] {
  const first = Math.max(from, 1) - 1
  const end = Math.min(to - 1, events.length)
  const found: StoredEvent[] = []
  const step = backward ? -1 : 1
  for (let i = backward ? end - 1 : first; i >= first && i < end && found.length < limit; i += step) {
    const event = events[i]!
    if (passes(event)) found.push(event)
  }
  return found
}

/**
 * A store in memory. Each call makes a new, empty one; starting several times on the same one finds the same data.
 *
 *     await using bank = await Bank.start({ store: memory() })
 */
export function memory(): StoreFactory {
  const log = new MemoryLog()
  const documents = new MemoryDocuments()
  return {
    name: 'memory',
    open: async ({ now }) => new MemoryStore(log, documents, now),
  }
}
