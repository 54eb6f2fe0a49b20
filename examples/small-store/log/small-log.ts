/**
 * The log of the small store: a list of events, and two maps for what is looked up by stream. Nothing is awaited within
 * a method, so no other call sees a half-stored batch.
 */
import {
  type AppendResult,
  type Commit,
  type Expected,
  type LogPlace,
  type Page,
  type Range,
  type ReadAllOptions,
  type ReadOptions,
  type Receipt,
  type StoredEvent,
  StoreError,
  type StreamEnd,
  type StreamId,
  type StreamList,
  type StreamQuery,
} from '../../../src/index.ts'

/** A stream's name as one text. */
export const keyOf = ({ aggregate, id }: StreamId): string => JSON.stringify([aggregate, id])

const noEvents: StreamEnd = { sequence: 0, checksum: 0 }
const limitDefault = 1000

export class SmallLog {
  /** The event at position n has the index n - 1. */
  readonly #events: StoredEvent[] = []
  /** By stream and commit id. */
  readonly #receipts = new Map<string, Receipt>()
  /** By stream. */
  readonly #ends = new Map<string, StreamEnd>()
  /** By aggregate, the ids of its streams. */
  readonly #ids = new Map<string, Set<string>>()

  get head(): number {
    return this.#events.length
  }

  // #region append
  append(commits: readonly Commit[], isReserved: (stream: StreamId) => boolean): readonly AppendResult[] {
    const broken = new Set<string>()
    return commits.map((commit) => {
      const stream = keyOf(commit.stream)
      const { sequence } = this.endOf(commit.stream)
      const stored = this.findCommit(commit.stream, commit.id)
      const reserved = isReserved(commit.stream)
      if (stored === undefined && !reserved && isMet(commit.expected, sequence, broken.has(stream))) {
        return { status: 'stored', ...this.#store(commit, sequence) }
      }
      broken.add(stream)
      if (stored !== undefined) return { status: 'duplicate', ...stored }
      return reserved ? { status: 'conflict', sequence, reserved } : { status: 'conflict', sequence }
    })
  }
  // #endregion

  // #region store
  #store({ stream, id, recordedAt, events, command }: Commit, sequence: number): Receipt {
    for (const [i, event] of events.entries()) {
      const placed = { ...event, stream, recordedAt, commitId: id, sequence: sequence + i + 1, position: this.head + 1 }
      this.#events.push(Object.freeze({ ...placed, checksum: checksumOf(JSON.stringify(placed)) }))
    }
    const { position, sequence: end, checksum } = this.#events.at(-1)!
    const place = { sequence: end, position, count: events.length, checksum }
    const receipt: Receipt = command === undefined ? place : { ...place, command }
    this.#receipts.set(keyOf(stream) + id, receipt)
    this.#ends.set(keyOf(stream), { sequence: end, checksum })
    this.#ids.set(stream.aggregate, (this.#ids.get(stream.aggregate) ?? new Set()).add(stream.id))
    return receipt
  }
  // #endregion

  findCommit(stream: StreamId, commitId: string): Receipt | undefined {
    return this.#receipts.get(keyOf(stream) + commitId)
  }

  endOf(stream: StreamId): StreamEnd {
    return this.#ends.get(keyOf(stream)) ?? noEvents
  }

  listStreams(aggregate: string, { after = '', limit }: StreamQuery): StreamList {
    const ids = [...(this.#ids.get(aggregate) ?? [])].filter((id) => id > after).sort()
    if (ids.length <= limit) return { ids }
    return { ids: ids.slice(0, limit), next: ids[limit - 1]! }
  }

  readStream({ aggregate, id }: StreamId, { from, to }: Range, options: ReadOptions): readonly StoredEvent[] {
    const { limit = limitDefault, direction, signal } = options
    signal?.throwIfAborted()
    const found = this.#events.filter(
      ({ stream, sequence }) => stream.id === id && stream.aggregate === aggregate && sequence >= from && sequence < to,
    )
    return (direction === 'backward' ? found.reverse() : found).slice(0, limit)
  }

  // #region read
  readAll({ from, to }: Range, options: ReadAllOptions): Page {
    const { limit = limitDefault, direction, signal, behind } = options
    signal?.throwIfAborted()
    if (behind !== undefined && !this.#has(behind)) {
      throw new StoreError('LOG_REPLACED', { store: 'small', position: behind.position, head: this.head })
    }
    const isBackward = direction === 'backward'
    const inRange = this.#events.slice(Math.max(from - 1, 0), Math.max(to - 1, 0))
    const wanted = (isBackward ? inRange.reverse() : inRange).filter((event) => isWanted(event, options))
    const events = wanted.slice(0, limit)
    const isLast = events.length < limit
    const start = isBackward ? Math.min(to, this.head + 1) : Math.max(from - 1, 0)
    const end = isBackward ? from : Math.max(start, Math.min(to - 1, this.head))
    const examined = isLast ? end : (events.at(-1)?.position ?? start)
    return { events, examined, checksum: this.#events[examined - 1]?.checksum ?? 0, isLast }
  }

  /** Whether the log holds a place as its reader knows it. */
  #has({ position, checksum }: LogPlace): boolean {
    if (position === 0) return true
    const event = this.#events[position - 1]
    return event !== undefined && (checksum === undefined || checksum === event.checksum)
  }
  // #endregion
}

// #region expected
function isMet(expected: Expected, sequence: number, isBroken: boolean): boolean {
  if (expected === 'any') return true
  if (expected === 'none') return sequence === 0
  if (expected === 'exists') return sequence > 0
  return expected === sequence && !isBroken
}
// #endregion

// #region wanted
function isWanted({ type, stream, tags }: StoredEvent, wanted: ReadAllOptions): boolean {
  if (wanted.types !== undefined && !wanted.types.includes(type)) return false
  if (wanted.aggregates !== undefined && !wanted.aggregates.includes(stream.aggregate)) return false
  return wanted.tags === undefined || wanted.tags.every((tag) => tags.includes(tag))
}
// #endregion

// #region checksum
/** FNV-1a of 32 bits: another number for another text, almost certainly. */
function checksumOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
// #endregion
