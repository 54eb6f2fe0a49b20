/**
 * Where each durable commit is in the log: typed columns with one row for each commit, about 64 bytes. A commit knows
 * the one before it in its stream and one far before it (a skip pointer), so any sequence of a stream is found in a
 * logarithmic number of steps. Commit ids are kept as two hashes. A candidate is compared with its line in the log, so
 * a match is exact; nearly all new ids need no search (`newest-ids.ts`). The checksum of each line is kept too, so
 * another complete line in its place is noticed.
 *
 * Some columns follow from others (`previous`, `far`, `depth`, `sequence`) and are calculated again when the index is
 * loaded.
 */

import type { Breath } from '../../../runtime/breath.ts'
import { Column } from '../../column.ts'
import type { StreamEnd } from '../../store.ts'
import { StreamIds, type StreamList, type StreamQuery } from '../../stream-list.ts'
import { HashTable, hashOf } from './hash-table.ts'
import { NewestIds } from './newest-ids.ts'
import { StreamTable } from './stream-table.ts'

/** A commit for the index. */
export interface IndexEntry {
  readonly stream: number
  /** The length of its line in bytes. */
  readonly length: number
  readonly events: number
  readonly commitId: string
  /** The checksum of its line. */
  readonly checksum: number
}

export class CommitIndex {
  /** Makes hashes differ between stores, so that nobody can choose ids that collide. */
  readonly seed: number
  readonly streams: StreamTable
  /** The first position of each commit, and the offset of its line in the whole log. Both are ascending. */
  readonly position: Column = new Column('float64')
  readonly offset: Column = new Column('float64')
  readonly stream: Column = new Column('uint32')
  readonly hash: Column = new Column('uint32')
  readonly check: Column = new Column('uint32')
  readonly checksum: Column = new Column('uint32')
  /** A commit plus 1; 0 is none. `far` of the first commit of a stream is itself. */
  readonly #previous: Column = new Column('uint32')
  readonly #far: Column = new Column('uint32')
  readonly #depth: Column = new Column('uint32')
  readonly #sequence: Column = new Column('float64')
  /** By stream, its last commit plus 1; 0 if it has none. */
  readonly #last: Column = new Column('uint32')
  readonly #table: HashTable = new HashTable((commit) => this.hash.get(commit))
  readonly #ids: StreamIds<number, number>
  readonly #newest = new NewestIds()
  #head = 0
  #end = 0

  constructor(seed: number) {
    this.seed = seed
    this.streams = new StreamTable(seed)
    this.#ids = new StreamIds((stream) => this.streams.idOf(stream))
  }

  /** The number of commits. */
  get count(): number {
    return this.stream.length
  }

  /** The last position; 0 if there is none. */
  get head(): number {
    return this.#head
  }

  /** The greatest commit id, in the order of texts. */
  get newestId(): string {
    return this.#newest.newest
  }

  /** The length of the log in bytes, as far as it is indexed. */
  get end(): number {
    return this.#end
  }

  add({ stream, length, events, commitId, checksum }: IndexEntry): void {
    const commit = this.count
    this.position.push(this.#head + 1)
    this.offset.push(this.#end)
    this.stream.push(stream)
    const hash = this.#hash(stream, commitId)
    this.hash.push(hash)
    this.check.push(this.#check(commitId))
    this.checksum.push(checksum)
    const sequence = this.lastSequence(stream) + 1
    this.#head += events
    this.#end += length
    this.#link(commit, stream, sequence)
    this.#table.add(hash, commit)
    this.#newest.add(stream, commitId)
  }

  /** Call this after the columns were read from disk. @param newestId at least as great as every commit id */
  async restore(head: number, end: number, newestId: string, breath: Breath): Promise<void> {
    const count = this.count
    this.#newest.restore(newestId)
    this.#head = head
    this.#end = end
    this.#table.reserve(count)
    for (let commit = 0; commit < count; commit++) {
      const stream = this.stream.get(commit)
      const last = this.lastCommit(stream)
      this.#link(commit, stream, last === -1 ? 1 : this.sequence(last) + this.events(last))
      this.#table.add(this.hash.get(commit), commit)
      if (commit % 4096 === 0 && breath.isDue) await breath.pause()
    }
  }

  sequence(commit: number): number {
    return this.#sequence.get(commit)
  }

  /** The number of events of a commit. */
  events(commit: number): number {
    const next = commit + 1 < this.count ? this.position.get(commit + 1) : this.#head + 1
    return next - this.position.get(commit)
  }

  /** The offset after a commit's line. */
  lineEnd(commit: number): number {
    return commit + 1 < this.count ? this.offset.get(commit + 1) : this.#end
  }

  /** A stream's last commit; -1 if it has none. */
  lastCommit(stream: number): number {
    return stream < this.#last.length ? this.#last.get(stream) - 1 : -1
  }

  lastSequence(stream: number): number {
    const last = this.lastCommit(stream)
    return last === -1 ? 0 : this.sequence(last) + this.events(last) - 1
  }

  /** The commit before one in its stream; -1 if there is none. */
  previous(commit: number): number {
    return this.#previous.get(commit) - 1
  }

  /** The commit with a sequence (from 1 to the stream's last) of a stream. */
  commitOf(stream: number, sequence: number): number {
    let commit = this.lastCommit(stream)
    while (this.sequence(commit) > sequence) {
      const far = this.#far.get(commit) - 1
      commit = this.sequence(far) > sequence ? far : this.previous(commit)
    }
    return commit
  }

  /** The commit with a position (from 1 to the head). */
  commitAt(position: number): number {
    return this.position.lastAtMost(position, this.count)
  }

  /** The checksum of the commit with a position; 0 if there is no such position. */
  checksumAt(position: number): number {
    return position < 1 || position > this.#head ? 0 : this.checksum.get(this.commitAt(position))
  }

  /** Where a stream ends; `stream` is -1 for an unknown one. */
  endOf(stream: number): StreamEnd {
    const last = stream === -1 ? -1 : this.lastCommit(stream)
    if (last === -1) return noEnd
    return { sequence: this.sequence(last) + this.events(last) - 1, checksum: this.checksum.get(last) }
  }

  async list(aggregate: string, query: StreamQuery): Promise<StreamList> {
    const number = this.streams.aggregateNumber(aggregate)
    return number === undefined ? { ids: [] } : this.#ids.list(number, query, () => this.#withEvents(number))
  }

  /** The streams of an aggregate that have events now. */
  *#withEvents(aggregate: number): Iterable<number> {
    const { streams } = this
    const { count } = streams
    for (let stream = 0; stream < count; stream++) {
      if (streams.aggregate.get(stream) === aggregate && this.lastCommit(stream) !== -1) yield stream
    }
  }

  /** Whether a commit id is greater than all others of its stream, and therefore new. If not, it may still be new. */
  isAfterAll(stream: number, commitId: string): boolean {
    return this.#newest.isAfterAll(stream, commitId)
  }

  /** The commits of a stream that may have an id: nearly always none, or the right one. */
  candidates(stream: number, commitId: string): readonly number[] {
    const hash = this.#hash(stream, commitId)
    let found = none
    this.#table.seek(hash)
    for (let commit = this.#table.next(); commit !== -1; commit = this.#table.next()) {
      if (this.hash.get(commit) !== hash || this.stream.get(commit) !== stream) continue
      if (this.check.get(commit) === this.#check(commitId)) found = [...found, commit]
    }
    return found
  }

  #link(commit: number, stream: number, sequence: number): void {
    this.#sequence.push(sequence)
    const previous = this.lastCommit(stream)
    if (previous === -1) this.#ids.add(this.streams.aggregate.get(stream), stream)
    this.#previous.push(previous + 1)
    this.#depth.push(previous === -1 ? 0 : this.#depth.get(previous) + 1)
    this.#far.push((previous === -1 ? commit : this.#farBehind(previous)) + 1)
    if (stream >= this.#last.length) this.#last.extend(stream + 1)
    this.#last.set(stream, commit + 1)
  }

  /** Skew-binary jumps: two equal ones in a row become one of double length. */
  #farBehind(previous: number): number {
    const far = this.#far.get(previous) - 1
    const farther = this.#far.get(far) - 1
    const depth = this.#depth
    return depth.get(previous) - depth.get(far) === depth.get(far) - depth.get(farther) ? farther : previous
  }

  #hash(stream: number, commitId: string): number {
    return hashOf(this.seed + Math.imul(stream, 0x9e3779b1), commitId)
  }

  #check(commitId: string): number {
    return hashOf(~this.seed, commitId)
  }
}

const noEnd: StreamEnd = Object.freeze({ sequence: 0, checksum: 0 })
const none: readonly number[] = Object.freeze([])
