/**
 * Decides which commits of a batch are stored, writes them, and only then adds them to the index. No reader therefore
 * sees data that a power failure could remove. Batches come one at a time. The changes of a batch are kept apart until
 * they are durable, and dropped if they never are.
 */
import { MnemeError } from '../../../domain/error.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { Breath, type EventLoop } from '../../../runtime/breath.ts'
import type { Commit } from '../../commit.ts'
import { isMet } from '../../expectation.ts'
import type { Reservations } from '../../reservations.ts'
import type { AppendResult, Receipt } from '../../store.ts'
import { notStored } from '../database/failure.ts'
import type { CommitIndex, IndexEntry } from '../index/commit-index.ts'
import { LineBuffer } from './lines.ts'
import type { LogReader } from './log-reader.ts'
import { encodeEvents, encodeRecord } from './record.ts'
import type { Segments } from './segments.ts'

/** The number of commits between two looks at the clock, unless one is larger than a number of characters. */
const commitsAtOnce = 64
const sizeAtOnceMax = 64 * 1024

type Stored = Extract<AppendResult, { readonly status: 'stored' }>

/** A stream with the changes of the batch so far. */
class Tentative {
  sequence: number
  /** Whether a commit to it was not stored by this batch. */
  broken: boolean
  /** The commits that the batch stores in it, in order. */
  readonly #stored: Stored[] = []
  readonly #ids: string[] = []
  /** The greatest of the ids, in the order of texts. */
  #newestId = ''
  /** The first commits by their ids. It grows when an id is looked for. */
  #byId: Map<string, Stored> | undefined

  constructor(sequence: number, broken: boolean) {
    this.sequence = sequence
    this.broken = broken
  }

  add(id: string, stored: Stored): void {
    this.sequence = stored.sequence
    this.#stored.push(stored)
    this.#ids.push(id)
    if (id > this.#newestId) this.#newestId = id
  }

  find(id: string): Receipt | undefined {
    // Most ids are greater than all before them.
    if (id > this.#newestId) return undefined
    this.#byId ??= new Map()
    for (let i = this.#byId.size; i < this.#ids.length; i++) this.#byId.set(this.#ids[i]!, this.#stored[i]!)
    return this.#byId.get(id)
  }
}

class Batch {
  readonly firstPosition: number
  head: number
  readonly entries: IndexEntry[] = []
  readonly results: AppendResult[] = []
  readonly streams = new Map<number, Tentative>()
  /**
   * Streams without a number for which a commit of the batch expected something else. Ids contain no null character.
   */
  readonly brokenUnknown = new Set<string>()

  /** The streams that are broken for the current group. */
  #broken: Tentative[] = []

  constructor(head: number) {
    this.head = head
    this.firstPosition = head + 1
  }

  /**
   * From now on, a commit of this caller that expects an exact sequence of the stream was decided on events that are
   * not stored.
   */
  breakStream(stream: number, tentative: Tentative | undefined, sequence: number): void {
    if (tentative === undefined) {
      this.open(stream, sequence, true)
    } else {
      tentative.broken = true
      this.#broken.push(tentative)
    }
  }

  /** Begins to track the changes of the batch to a stream. */
  open(stream: number, sequence: number, broken: boolean): Tentative {
    const opened = new Tentative(sequence, broken)
    this.streams.set(stream, opened)
    if (broken) this.#broken.push(opened)
    return opened
  }

  breakUnknown(commit: Commit): void {
    this.brokenUnknown.add(keyOf(commit))
  }

  /** The next caller's commits were not decided on this one's. */
  startGroup(): void {
    if (this.brokenUnknown.size > 0) this.brokenUnknown.clear()
    if (this.#broken.length === 0) return
    for (const tentative of this.#broken) tentative.broken = false
    this.#broken = []
  }
}

/** The situation that a commit meets. */
interface Standing {
  /** The stream's number; -1 if it has none yet. */
  readonly known: number
  readonly tentative: Tentative | undefined
  /** The commit with its id, if there is one. */
  readonly earlier: Receipt | undefined
  /** Whether the stream is reserved for another writer. */
  readonly reserved: boolean
  /** Its encoded events, if there are so many that they were encoded in pieces. */
  readonly listed: string | undefined
}

/** The place of an accepted commit, and its events if they are already encoded. */
interface Accepted {
  readonly stream: number
  /** The stream's last sequence before it. */
  readonly sequence: number
  readonly listed: string | undefined
}

type IsReserved = (stream: StreamId) => boolean

export interface LogWriterParts {
  readonly store: string
  readonly index: CommitIndex
  readonly segments: Segments
  readonly reader: LogReader
  readonly reservations: Reservations
  readonly now: () => number
  readonly loop: EventLoop
}

export class LogWriter {
  readonly #store: string
  readonly #index: CommitIndex
  readonly #segments: Segments
  readonly #reader: LogReader
  readonly #reservations: Reservations
  readonly #now: () => number
  readonly #loop: EventLoop
  readonly #lines = new LineBuffer()

  constructor({ store, index, segments, reader, reservations, now, loop }: LogWriterParts) {
    this.#store = store
    this.#index = index
    this.#segments = segments
    this.#reader = reader
    this.#reservations = reservations
    this.#now = now
    this.#loop = loop
  }

  /**
   * Stores the commits of several callers as one batch. Call it again only when this call has settled.
   *
   * @param writers the writer of each group
   */
  async write(
    groups: readonly (readonly Commit[])[],
    writers: readonly (string | undefined)[],
  ): Promise<readonly AppendResult[]> {
    const batch = new Batch(this.#index.head)
    const breath = new Breath(this.#loop)
    this.#lines.clear()
    try {
      for (const [i, commits] of groups.entries()) {
        await this.#decideGroup(commits, batch, breath, this.#isReserved(writers[i]))
        batch.startGroup()
      }
    } catch (cause) {
      throw cause instanceof MnemeError ? notStored(this.#store, 'looking for earlier commits', cause) : cause
    }
    if (batch.entries.length > 0) await this.#segments.append(this.#lines.bytes, batch.firstPosition)
    let added = 0
    for (const entry of batch.entries) {
      this.#index.add(entry)
      if (++added % commitsAtOnce === 0 && breath.isDue) await breath.pause()
    }
    if (!this.#reservations.isEmpty) this.#endReservations(groups, writers, batch.results)
    return batch.results
  }

  /** Decides one caller's commits, in order. */
  async #decideGroup(
    commits: readonly Commit[],
    batch: Batch,
    breath: Breath,
    isReserved: IsReserved | undefined,
  ): Promise<void> {
    for (const commit of commits) {
      const isLarge = commit.size > sizeAtOnceMax
      if ((isLarge || batch.results.length % commitsAtOnce === 0) && breath.isDue) await breath.pause()
      const listed = isLarge ? await encodeEvents(commit.events, breath) : undefined
      const known = this.#index.streams.find(commit.stream)
      const tentative = known === -1 ? undefined : batch.streams.get(known)
      const earlier = tentative?.find(commit.id) ?? this.#storedEarlier(commit, known)
      // An await for each of a thousand commits would cost more than everything else.
      const receipt = earlier instanceof Promise ? await earlier : earlier
      const reserved = isReserved?.(commit.stream) === true
      batch.results.push(this.#decide(commit, { known, tentative, earlier: receipt, reserved, listed }, batch))
    }
  }

  #isReserved(writer: string | undefined): IsReserved | undefined {
    return this.#reservations.isEmpty ? undefined : this.#reservations.begin(writer, this.#now())
  }

  #endReservations(
    groups: readonly (readonly Commit[])[],
    writers: readonly (string | undefined)[],
    results: readonly AppendResult[],
  ): void {
    let next = 0
    for (const [i, commits] of groups.entries()) {
      const first = next
      next += commits.length
      this.#reservations.end(
        writers[i],
        commits.filter((_, n) => results[first + n]!.status === 'stored'),
      )
    }
  }

  #storedEarlier({ id }: Commit, stream: number): Promise<Receipt | undefined> | undefined {
    if (stream === -1 || this.#index.isAfterAll(stream, id)) return undefined
    return this.#index.candidates(stream, id).length === 0 ? undefined : this.#reader.findCommitOf(stream, id)
  }

  #decide(commit: Commit, standing: Standing, batch: Batch): AppendResult {
    const { known, tentative, earlier, reserved } = standing
    const sequence = tentative?.sequence ?? (known === -1 ? 0 : this.#index.lastSequence(known))
    if (earlier !== undefined) {
      batch.breakStream(known, tentative, sequence)
      return { ...earlier, status: 'duplicate' }
    }
    const wasBroken = batch.brokenUnknown.size > 0 && batch.brokenUnknown.has(keyOf(commit))
    const broken = wasBroken || tentative?.broken === true
    if (reserved || !isMet(commit.expected, sequence, broken)) {
      if (known === -1) batch.breakUnknown(commit)
      else batch.breakStream(known, tentative, sequence)
      return reserved ? { status: 'conflict', sequence, reserved } : { status: 'conflict', sequence }
    }
    const stream = known === -1 ? this.#index.streams.findOrAdd(commit.stream) : known
    const stored = this.#accept(commit, batch, { stream, sequence, listed: standing.listed })
    const left = tentative ?? batch.open(stream, sequence, broken)
    left.add(commit.id, stored)
    return stored
  }

  #accept(commit: Commit, batch: Batch, { stream, sequence, listed }: Accepted): Stored {
    const count = commit.events.length
    const place = { position: batch.head + 1, batch: batch.firstPosition, sequence: sequence + 1 }
    const json = encodeRecord(commit, place, listed)
    const length = this.#lines.add(json)
    const { checksum } = this.#lines
    batch.entries.push({ stream, length, events: count, commitId: commit.id, checksum })
    batch.head += count
    const { command } = commit
    const last = sequence + count
    const position = batch.head
    return command === undefined
      ? { status: 'stored', sequence: last, position, count, checksum }
      : { status: 'stored', sequence: last, position, count, checksum, command }
  }
}

const keyOf = ({ stream }: Commit): string => `${stream.aggregate}\0${stream.id}`
