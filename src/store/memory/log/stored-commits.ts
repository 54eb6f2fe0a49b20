/**
 * The commits of the memory store's log. A commit is no object: its numbers are side by side in a typed array, into
 * which the garbage collector does not look, and its id, stream and events are as they were given. Half of what a
 * command in memory costs is garbage collection, and that is nearly all for objects that stay, so there are few of
 * them: an id and the events. Everything is in blocks of fixed size. A single list of millions would be copied again
 * and again as it grows.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { CommandMark, Commit, CommitEvent } from '../../commit.ts'
import type { Receipt, StoredEvent } from '../../store.ts'

/** Commits, or events, in a block. */
const blockLength = 4096
const shift = 12
const mask = blockLength - 1
/** The room of the first block, which grows with the log. A short log needs little memory. */
const firstLength = 16

/** The places of a commit's numbers: the position and sequence of its first event, its time and so on. */
const position = 0
const sequence = 1
const recordedAt = 2
const checksum = 3
/** The digest of the command, and the number of its name. */
const digest = 4
const name = 5
const width = 6

/** The digest of a commit without a command. */
const noDigest = -1

interface Block {
  numbers: Float64Array
  readonly ids: string[]
  readonly streams: StreamId[]
}

/** A commit is known by its number, from 0. */
export class StoredCommits {
  readonly #blocks: Block[] = []
  /** The events of all commits, in blocks. The one at a position is at the place before it. */
  readonly #events: CommitEvent[][] = []
  #count = 0
  #head = 0
  readonly #names: string[] = []
  readonly #nameNumbers = new Map<string, number>()

  get count(): number {
    return this.#count
  }

  /** The last position. */
  get head(): number {
    return this.#head
  }

  /** Adds a commit after all others. @param first the sequence of its first event @returns its number */
  add(stream: StreamId, { id, recordedAt: time, events, command }: Commit, first: number, sum: number): number {
    const commit = this.#count++
    const block = this.#blockFor(commit)
    const { numbers } = block
    const at = (commit & mask) * width
    numbers[at + position] = this.#head + 1
    numbers[at + sequence] = first
    numbers[at + recordedAt] = time
    numbers[at + checksum] = sum
    numbers[at + digest] = command === undefined ? noDigest : command.digest
    numbers[at + name] = command === undefined ? 0 : this.#numberOf(command.name)
    block.ids[commit & mask] = id
    block.streams[commit & mask] = stream
    for (let i = 0; i < events.length; i++) {
      const place = this.#head++
      if ((place & mask) === 0) this.#events.push(place === 0 ? [] : new Array(blockLength))
      this.#events[place >>> shift]![place & mask] = events[i]!
    }
    return commit
  }

  /** The block in which the next commit has room. */
  #blockFor(commit: number): Block {
    const block = this.#blocks[commit >>> shift]
    if (block === undefined) {
      const length = commit === 0 ? firstLength : blockLength
      // A list that grows has more room than it needs at last.
      const room = commit === 0 ? 0 : blockLength
      const added = { numbers: new Float64Array(length * width), ids: new Array(room), streams: new Array(room) }
      this.#blocks.push(added)
      return added
    }
    if ((commit & mask) * width === block.numbers.length) {
      const larger = new Float64Array(block.numbers.length * 2)
      larger.set(block.numbers)
      block.numbers = larger
    }
    return block
  }

  idOf(commit: number): string {
    return this.#blocks[commit >>> shift]!.ids[commit & mask]!
  }

  positionOf(commit: number): number {
    return this.#number(commit, position)
  }

  sequenceOf(commit: number): number {
    return this.#number(commit, sequence)
  }

  checksumOf(commit: number): number {
    return this.#number(commit, checksum)
  }

  /** The number of events of a commit. */
  countOf(commit: number): number {
    const next = commit + 1 < this.#count ? this.#number(commit + 1, position) : this.#head + 1
    return next - this.#number(commit, position)
  }

  receiptOf(commit: number): Receipt {
    const count = this.countOf(commit)
    const receipt = {
      sequence: this.#number(commit, sequence) + count - 1,
      position: this.#number(commit, position) + count - 1,
      count,
      checksum: this.#number(commit, checksum),
    }
    const command = this.#commandOf(commit)
    return command === undefined ? receipt : { ...receipt, command }
  }

  /** The event at a place in a commit, from 0. */
  eventOf(commit: number, index: number): StoredEvent {
    const at = this.#number(commit, position) + index
    const { type, revision, data, metadata, tags } = this.#events[(at - 1) >>> shift]![(at - 1) & mask]!
    return {
      stream: this.#blocks[commit >>> shift]!.streams[commit & mask]!,
      type,
      revision,
      data,
      metadata,
      tags,
      sequence: this.#number(commit, sequence) + index,
      position: at,
      recordedAt: this.#number(commit, recordedAt),
      commitId: this.idOf(commit),
      checksum: this.#number(commit, checksum),
    }
  }

  #number(commit: number, place: number): number {
    return this.#blocks[commit >>> shift]!.numbers[(commit & mask) * width + place]!
  }

  #commandOf(commit: number): CommandMark | undefined {
    const own = this.#number(commit, digest)
    return own === noDigest ? undefined : { name: this.#names[this.#number(commit, name)]!, digest: own }
  }

  #numberOf(name: string): number {
    const known = this.#nameNumbers.get(name)
    if (known !== undefined) return known
    const number = this.#names.push(name) - 1
    this.#nameNumbers.set(name, number)
    return number
  }
}
