/**
 * The simplest possible event store: one array, which is searched from beginning to end. It is slow and does no I/O.
 * Its answers define what the port means. It uses no code that the real stores share, so that a mistake in that code
 * shows.
 */
import type { StreamId } from '../../domain/stream.ts'
import type { Commit, Expected } from '../../store/commit.ts'
import type { Range } from '../../store/range.ts'
import type { AppendResult, Page, ReadAllOptions, ReadOptions, Receipt, StoredEvent } from '../../store/store.ts'

export class ModelStore {
  readonly #log: StoredEvent[] = []

  append(commits: readonly Commit[]): readonly AppendResult[] {
    const broken: StreamId[] = []
    return commits.map((commit) => {
      const stored = this.findCommit(commit.stream, commit.id)
      const sequence = this.sequence(commit.stream)
      const isBroken = broken.some((stream) => same(stream, commit.stream))
      if (
        stored === undefined &&
        isMet(commit.expected, sequence) &&
        !(isBroken && typeof commit.expected === 'number')
      )
        return { status: 'stored', ...this.#store(commit) }
      broken.push(commit.stream)
      return stored === undefined ? { status: 'conflict', sequence } : { status: 'duplicate', ...stored }
    })
  }

  #store({ stream, id: commitId, recordedAt, events }: Commit): Receipt {
    for (const event of events) {
      const sequence = this.sequence(stream) + 1
      this.#log.push({ ...event, stream, sequence, position: this.head() + 1, recordedAt, commitId, checksum: 0 })
    }
    return { sequence: this.sequence(stream), position: this.head(), count: events.length, checksum: 0 }
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions): readonly StoredEvent[] {
    const own = this.#log.filter((event) => same(event.stream, stream))
    const found = own.filter(({ sequence }) => sequence >= range.from && sequence < range.to)
    return ordered(found, options).slice(0, options.limit ?? 1000)
  }

  readAll({ from, to }: Range, options: ReadAllOptions): Page {
    const { limit = 1000, direction, types, aggregates, tags } = options
    const forward = direction !== 'backward'
    const events: StoredEvent[] = []
    let examined = forward ? Math.max(from - 1, 0) : Math.min(to, this.head() + 1)
    const within = this.#log.filter(({ position }) => position >= from && position < to)
    for (const event of ordered(within, options)) {
      const last = events.at(-1)
      const isWithin = last !== undefined && last.commitId === event.commitId && same(last.stream, event.stream)
      if (events.length >= limit && !isWithin) return { events, examined, checksum: 0, isLast: false }
      examined = event.position
      if (types !== undefined && !types.some((type) => type === event.type)) continue
      if (aggregates !== undefined && !aggregates.some((aggregate) => aggregate === event.stream.aggregate)) continue
      if (tags?.some((tag) => !event.tags.includes(tag))) continue
      events.push(event)
    }
    return {
      events,
      examined: forward || events.length >= limit ? examined : from,
      checksum: 0,
      isLast: events.length < limit,
    }
  }

  findCommit(stream: StreamId, commitId: string): Receipt | undefined {
    const own = this.#log.filter((event) => same(event.stream, stream) && event.commitId === commitId)
    const last = own.at(-1)
    return last && { sequence: last.sequence, position: last.position, count: own.length, checksum: 0 }
  }

  listStreams(aggregate: string, after = ''): readonly string[] {
    const ids = this.#log.filter(({ stream }) => stream.aggregate === aggregate).map(({ stream }) => stream.id)
    return [...new Set(ids)].filter((id) => id > after).sort()
  }

  head(): number {
    return this.#log.length
  }

  sequence(stream: StreamId): number {
    return this.#log.filter((event) => same(event.stream, stream)).length
  }
}

const same = (a: StreamId, b: StreamId) => a.aggregate === b.aggregate && a.id === b.id

const ordered = (events: readonly StoredEvent[], { direction }: ReadOptions) =>
  direction === 'backward' ? events.toReversed() : events

function isMet(expected: Expected, sequence: number): boolean {
  if (expected === 'any') return true
  if (expected === 'none') return sequence === 0
  if (expected === 'exists') return sequence > 0
  return sequence === expected
}
