/**
 * Deciding which commits of a batch are stored, writing those, and only then making them known to the index: so no reader
 * sees what a power failure could take away. Batches come one at a time. What the batch itself changes is kept aside
 * until it is durable, and forgotten if it is not.
 */
import type { Commit } from '../commit.ts'
import { isMet } from '../expected.ts'
import type { AppendResult, Receipt } from '../store.ts'
import type { CommitIndex, IndexEntry } from './commit-index.ts'
import { LineBuffer } from './lines.ts'
import type { LogReader } from './log-reader.ts'
import { encodeRecord } from './record.ts'
import type { Segments } from './segments.ts'

type Stored = Extract<AppendResult, { readonly status: 'stored' }>

/** A stream as the batch has left it so far. */
class Tentative {
  sequence: number
  /** Whether a commit to it was not stored by this batch. */
  broken: boolean
  /** What the batch stores in it: most often one commit, so the map waits for the second. */
  #firstId: string | undefined
  #first: Stored | undefined
  #byId: Map<string, Stored> | undefined

  constructor(sequence: number, broken: boolean) {
    this.sequence = sequence
    this.broken = broken
  }

  add(id: string, stored: Stored): void {
    this.sequence = stored.sequence
    if (this.#first === undefined) {
      this.#firstId = id
      this.#first = stored
    } else {
      this.#byId ??= new Map()
      this.#byId.set(id, stored)
    }
  }

  find(id: string): Receipt | undefined {
    return id === this.#firstId ? this.#first : this.#byId?.get(id)
  }
}

class Batch {
  readonly firstPosition: number
  head: number
  readonly entries: IndexEntry[] = []
  readonly results: AppendResult[] = []
  readonly streams = new Map<number, Tentative>()
  /** Streams without a number that a commit of the batch expected to be otherwise. Ids hold no null character. */
  readonly brokenUnknown = new Set<string>()

  #hasBroken = false

  constructor(head: number) {
    this.head = head
    this.firstPosition = head + 1
  }

  /** From now on, whoever of this caller expects an exact sequence of the stream was decided on what is not there. */
  breakStream(stream: number, tentative: Tentative | undefined, sequence: number): void {
    this.#hasBroken = true
    if (tentative !== undefined) tentative.broken = true
    else this.streams.set(stream, new Tentative(sequence, true))
  }

  breakUnknown(commit: Commit): void {
    this.#hasBroken = true
    this.brokenUnknown.add(keyOf(commit))
  }

  /** The next caller's commits were not decided on this one's. */
  mendStreams(): void {
    if (!this.#hasBroken) return
    this.#hasBroken = false
    this.brokenUnknown.clear()
    for (const tentative of this.streams.values()) tentative.broken = false
  }
}

export class LogWriter {
  readonly #index: CommitIndex
  readonly #segments: Segments
  readonly #reader: LogReader
  readonly #lines = new LineBuffer()

  constructor(index: CommitIndex, segments: Segments, reader: LogReader) {
    this.#index = index
    this.#segments = segments
    this.#reader = reader
  }

  /** Stores the commits of several callers as one batch. The next may come when this one is done, well or not. */
  async write(groups: readonly (readonly Commit[])[]): Promise<readonly AppendResult[]> {
    const batch = new Batch(this.#index.head)
    this.#lines.clear()
    for (const commits of groups) {
      await this.#decideGroup(commits, batch)
      batch.mendStreams()
    }
    if (batch.entries.length > 0) await this.#segments.append(this.#lines.bytes, batch.firstPosition)
    for (const entry of batch.entries) this.#index.add(entry)
    return batch.results
  }

  /** Decides one caller's commits, in order. */
  async #decideGroup(commits: readonly Commit[], batch: Batch): Promise<void> {
    for (const commit of commits) {
      const known = this.#index.streams.find(commit.stream)
      const tentative = known === -1 ? undefined : batch.streams.get(known)
      const earlier = commit.fresh ? undefined : (tentative?.find(commit.id) ?? this.#storedEarlier(commit, known))
      // An await for each of a thousand commits costs more than all the rest.
      const receipt = earlier instanceof Promise ? await earlier : earlier
      batch.results.push(this.#decide(commit, known, batch, tentative, receipt))
    }
  }

  #storedEarlier({ id }: Commit, stream: number): Promise<Receipt | undefined> | undefined {
    const isNew = stream === -1 || this.#index.candidates(stream, id).length === 0
    return isNew ? undefined : this.#reader.findCommitOf(stream, id)
  }

  /** @param known the stream's number; -1 if it has none yet */
  #decide(
    commit: Commit,
    known: number,
    batch: Batch,
    tentative: Tentative | undefined,
    earlier: Receipt | undefined,
  ): AppendResult {
    const sequence = tentative?.sequence ?? (known === -1 ? 0 : this.#index.lastSequence(known))
    if (earlier !== undefined) {
      batch.breakStream(known, tentative, sequence)
      return { status: 'duplicate', sequence: earlier.sequence, position: earlier.position, count: earlier.count }
    }
    const wasBroken = batch.brokenUnknown.size > 0 && batch.brokenUnknown.has(keyOf(commit))
    const broken = wasBroken || tentative?.broken === true
    if (!isMet(commit.expected, sequence, broken)) {
      if (known === -1) batch.breakUnknown(commit)
      else batch.breakStream(known, tentative, sequence)
      return { status: 'conflict', sequence }
    }
    const stream = known === -1 ? this.#index.streams.findOrAdd(commit.stream) : known
    const stored = this.#accept(commit, batch, stream, sequence)
    const left = tentative ?? new Tentative(sequence, broken)
    if (tentative === undefined) batch.streams.set(stream, left)
    left.add(commit.id, stored)
    return stored
  }

  #accept(commit: Commit, batch: Batch, stream: number, sequence: number): Stored {
    const count = commit.events.length
    const json = encodeRecord(commit, batch.head + 1, batch.firstPosition, sequence + 1)
    batch.entries.push({ stream, length: this.#lines.add(json), events: count, commitId: commit.id })
    batch.head += count
    return { status: 'stored', sequence: sequence + count, position: batch.head, count }
  }
}

const keyOf = ({ stream }: Commit): string => `${stream.aggregate}\0${stream.id}`
