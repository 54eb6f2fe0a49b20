/**
 * The commits of the memory store's log, in columns: numbers in typed arrays, and the ids, streams and events as they
 * were given. A commit in a column is no object. Half of what a command in memory costs is garbage collection, and that
 * is nearly all for objects that stay, so there are few of them: an id and the events.
 */
import type { StreamId } from '../../../domain/stream.ts'
import { Column } from '../../column.ts'
import type { CommandMark, Commit, CommitEvent } from '../../commit.ts'
import type { Receipt, StoredEvent } from '../../store.ts'

/** The digest of a commit without a command. */
const noDigest = -1

/** A commit is known by its number, from 0. */
export class StoredCommits {
  readonly #ids: string[] = []
  readonly #streams: StreamId[] = []
  /** Those of all commits, so that the one at a position is at the place before it. */
  readonly #events: CommitEvent[] = []
  /** The position of each commit's first event, and its sequence. */
  readonly #position = new Column('float64')
  readonly #sequence = new Column('float64')
  readonly #recordedAt = new Column('float64')
  readonly #checksum = new Column('uint32')
  /** The digest of the command, and the number of its name. */
  readonly #digest = new Column('float64')
  readonly #name = new Column('uint32')
  readonly #names: string[] = []
  readonly #nameNumbers = new Map<string, number>()

  get count(): number {
    return this.#ids.length
  }

  /** The last position. */
  get head(): number {
    return this.#events.length
  }

  /** Adds a commit after all others. @param sequence that of its first event @returns its number */
  add(stream: StreamId, { id, recordedAt, events, command }: Commit, sequence: number, checksum: number): number {
    this.#position.push(this.#events.length + 1)
    this.#sequence.push(sequence)
    this.#recordedAt.push(recordedAt)
    this.#checksum.push(checksum)
    this.#digest.push(command === undefined ? noDigest : command.digest)
    this.#name.push(command === undefined ? 0 : this.#numberOf(command.name))
    this.#streams.push(stream)
    for (let i = 0; i < events.length; i++) this.#events.push(events[i]!)
    return this.#ids.push(id) - 1
  }

  idOf(commit: number): string {
    return this.#ids[commit]!
  }

  positionOf(commit: number): number {
    return this.#position.get(commit)
  }

  sequenceOf(commit: number): number {
    return this.#sequence.get(commit)
  }

  checksumOf(commit: number): number {
    return this.#checksum.get(commit)
  }

  /** The number of events of a commit. */
  countOf(commit: number): number {
    const next = commit + 1 < this.count ? this.#position.get(commit + 1) : this.head + 1
    return next - this.#position.get(commit)
  }

  receiptOf(commit: number): Receipt {
    const count = this.countOf(commit)
    const sequence = this.#sequence.get(commit) + count - 1
    const position = this.#position.get(commit) + count - 1
    const receipt = { sequence, position, count, checksum: this.#checksum.get(commit) }
    const command = this.#commandOf(commit)
    return command === undefined ? receipt : { ...receipt, command }
  }

  /** The event at a place in a commit, from 0. */
  eventOf(commit: number, index: number): StoredEvent {
    const position = this.#position.get(commit) + index
    const { type, revision, data, metadata, tags } = this.#events[position - 1]!
    return {
      stream: this.#streams[commit]!,
      type,
      revision,
      data,
      metadata,
      tags,
      sequence: this.#sequence.get(commit) + index,
      position,
      recordedAt: this.#recordedAt.get(commit),
      commitId: this.#ids[commit]!,
      checksum: this.#checksum.get(commit),
    }
  }

  #commandOf(commit: number): CommandMark | undefined {
    const digest = this.#digest.get(commit)
    return digest === noDigest ? undefined : { name: this.#names[this.#name.get(commit)]!, digest }
  }

  #numberOf(name: string): number {
    const known = this.#nameNumbers.get(name)
    if (known !== undefined) return known
    const number = this.#names.push(name) - 1
    this.#nameNumbers.set(name, number)
    return number
  }
}
