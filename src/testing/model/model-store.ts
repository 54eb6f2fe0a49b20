/**
 * The simplest possible event store: one array, which is searched from beginning to end. It is slow and does no I/O.
 * Its answers define what the port means. It uses no code that the real stores share, so that a mistake in that code
 * shows. Checksums are the store's own: the model takes them from the first read of an event, and expects them from
 * then on.
 */
import type { StreamId } from '../../domain/stream.ts'
import type { Commit, Expected } from '../../store/commit.ts'
import type { Range } from '../../store/range.ts'
import type {
  AppendResult,
  LogPlace,
  Page,
  ReadAllOptions,
  ReadOptions,
  Receipt,
  StoredEvent,
  StreamEnd,
} from '../../store/store.ts'

/** What an append does not say itself. */
export interface Appending {
  readonly writer: string | undefined
  readonly now: number
  /** The events that the store read after it, for their checksums. */
  readonly readBack: readonly StoredEvent[]
}

interface Reserved {
  readonly stream: StreamId
  readonly writer: string
  readonly until: number
}

/** The answer to a read behind a place that the log does not have. */
export const logReplaced = 'LOG_REPLACED'

export class ModelStore {
  readonly #log: StoredEvent[] = []
  readonly #receipts = new Map<StoredEvent, Receipt>()
  #reserved: readonly Reserved[] = []

  append(commits: readonly Commit[], { writer, now, readBack }: Appending): readonly AppendResult[] {
    const broken: StreamId[] = []
    const written: StreamId[] = []
    const results = commits.map((commit): AppendResult => {
      const { stream, expected } = commit
      const found = this.findCommit(stream, commit.id)
      const sequence = this.sequence(stream)
      const isBroken = broken.some((each) => same(each, stream)) && typeof expected === 'number'
      const reserved = this.#isOthers(stream, writer, now)
      if (found === undefined && !reserved && isMet(expected, sequence) && !isBroken) {
        written.push(stream)
        return { status: 'stored', ...this.#store(commit, readBack) }
      }
      broken.push(stream)
      if (found !== undefined) return { status: 'duplicate', ...found }
      return { status: 'conflict', sequence, ...(reserved && { reserved }) }
    })
    const isWritten = (stream: StreamId) => written.some((each) => same(each, stream))
    this.#reserved = this.#reserved.filter((each) => each.writer !== writer || !isWritten(each.stream))
    return results
  }

  #store({ stream, id: commitId, recordedAt, events, command }: Commit, readBack: readonly StoredEvent[]): Receipt {
    for (const event of events) {
      const [sequence, position] = [this.sequence(stream) + 1, this.head() + 1]
      const checksum = readBack.find((each) => each.position === position)?.checksum ?? 0
      this.#log.push({ ...event, stream, sequence, position, recordedAt, commitId, checksum })
    }
    const last = this.#log.at(-1)!
    const { sequence, position, checksum } = last
    const receipt = { sequence, position, count: events.length, checksum, ...(command && { command }) }
    this.#receipts.set(last, receipt)
    return receipt
  }

  reserve(
    streams: readonly StreamId[],
    writer: string,
    { durationMs, now }: { readonly durationMs: number; readonly now: number },
  ): readonly boolean[] {
    return streams.map((stream) => {
      if (this.#isOthers(stream, writer, now)) return false
      const others = this.#reserved.filter((each) => !same(each.stream, stream))
      this.#reserved = [...others, { stream, writer, until: now + durationMs }]
      return true
    })
  }

  forgetReservations(): void {
    this.#reserved = []
  }

  #isOthers(stream: StreamId, writer: string | undefined, now: number): boolean {
    return this.#reserved.some((each) => same(each.stream, stream) && each.writer !== writer && each.until > now)
  }

  readStream(stream: StreamId, range: Range, options: ReadOptions): readonly StoredEvent[] {
    const own = this.#log.filter((event) => same(event.stream, stream))
    const found = own.filter(({ sequence }) => sequence >= range.from && sequence < range.to)
    return ordered(found, options).slice(0, options.limit ?? 1000)
  }

  readAll({ from, to }: Range, options: ReadAllOptions): Page | typeof logReplaced {
    const { limit = 1000, direction, behind } = options
    if (behind !== undefined && !this.#has(behind)) return logReplaced
    const forward = direction !== 'backward'
    const within = this.#log.filter(({ position }) => position >= from && position < to)
    const events: StoredEvent[] = []
    let isFull = limit === 0
    let examined = forward ? Math.max(from - 1, 0) : Math.min(to, this.head() + 1)
    for (const event of ordered(within, options)) {
      const last = events.at(-1)
      isFull = events.length >= limit
      if (isFull && !(last?.commitId === event.commitId && same(last.stream, event.stream))) break
      examined = event.position
      if (passes(event, options)) events.push(event)
    }
    isFull ||= events.length >= limit
    if (!forward && !isFull) examined = from
    const isLeft = ({ position }: StoredEvent) => (forward ? position > examined : position < examined)
    const isLast = !within.some((event) => isLeft(event) && passes(event, options))
    return { events, examined, checksum: this.checksumAt(examined), isLast }
  }

  #has({ position, checksum }: LogPlace): boolean {
    if (position === 0) return true
    return position <= this.head() && (checksum === undefined || checksum === this.checksumAt(position))
  }

  findCommit(stream: StreamId, commitId: string): Receipt | undefined {
    const last = this.#log.findLast((event) => same(event.stream, stream) && event.commitId === commitId)
    return last && this.#receipts.get(last)
  }

  streamEnds(streams: readonly StreamId[]): readonly StreamEnd[] {
    return streams.map((stream) => {
      const last = this.#log.findLast((event) => same(event.stream, stream))
      return { sequence: last?.sequence ?? 0, checksum: last?.checksum ?? 0 }
    })
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

  /** The checksum of the event at a position; 0 if there is none. */
  checksumAt(position: number): number {
    return this.#log[position - 1]?.checksum ?? 0
  }
}

const same = (a: StreamId, b: StreamId) => a.aggregate === b.aggregate && a.id === b.id

const passes = (event: StoredEvent, { types, aggregates, tags }: ReadAllOptions) =>
  (types === undefined || types.some((type) => type === event.type)) &&
  (aggregates === undefined || aggregates.some((aggregate) => aggregate === event.stream.aggregate)) &&
  (tags === undefined || tags.every((tag) => event.tags.includes(tag)))

const ordered = (events: readonly StoredEvent[], { direction }: ReadOptions) =>
  direction === 'backward' ? events.toReversed() : events

function isMet(expected: Expected, sequence: number): boolean {
  if (expected === 'any') return true
  if (expected === 'none') return sequence === 0
  if (expected === 'exists') return sequence > 0
  return sequence === expected
}
