/** The commits of one stream of the memory store, and the search for one by its id. */
import type { StreamId } from '../../../domain/stream.ts'
import type { Receipt } from '../../store.ts'
import { CommitTable } from './commit-table.ts'
import type { StoredCommits } from './stored-commits.ts'

export class MemoryStream {
  readonly id: StreamId
  /** The hash of its aggregate and id. */
  readonly hash: number
  sequence = 0
  /** The numbers of its commits, in order. */
  #commits: number[] = []
  /** Those whose ids came in order. Ids made by the library do, so these are nearly always all: the same list. */
  #sorted: number[] = this.#commits
  /** The greatest id of these. */
  #newest = ''
  /** The other commits by the hashes of their ids; absent if there are none. */
  #table: CommitTable | undefined
  readonly #stored: StoredCommits

  constructor(id: StreamId, hash: number, stored: StoredCommits) {
    this.id = id
    this.hash = hash
    this.#stored = stored
  }

  get commits(): readonly number[] {
    return this.#commits
  }

  /** @param hash the hash of the id */
  find(commitId: string, hash: number = hashOfId(commitId)): Receipt | undefined {
    const commit = this.#inSorted(commitId) ?? this.#inTable(commitId, hash)
    return commit === undefined ? undefined : this.#stored.receiptOf(commit)
  }

  /** @param commit the number of a stored commit of this stream, with its id, the hash of that, and its events */
  add(commit: number, id: string, hash: number, events: number): void {
    const isInOrder = id > this.#newest
    // A list that begins with one entry has room for one, and one that grows for many. Many streams have one commit.
    if (this.sequence === 0) {
      this.#commits = [commit]
      this.#sorted = this.#commits
    } else {
      if (!isInOrder && this.#sorted === this.#commits) this.#sorted = this.#commits.slice()
      this.#commits.push(commit)
      if (isInOrder && this.#sorted !== this.#commits) this.#sorted.push(commit)
    }
    this.sequence += events
    if (isInOrder) this.#newest = id
    else {
      this.#table ??= new CommitTable((index) => this.#stored.idOf(this.#commits[index]!))
      this.#table.add(hash, this.#commits.length - 1)
    }
  }

  #inSorted(id: string): number | undefined {
    // A new id is after all others, so one comparison is enough.
    if (id > this.#newest) return undefined
    const stored = this.#stored
    const sorted = this.#sorted
    let low = 0
    let high = sorted.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (stored.idOf(sorted[middle]!) < id) low = middle + 1
      else high = middle
    }
    const found = sorted[low]
    return found !== undefined && stored.idOf(found) === id ? found : undefined
  }

  #inTable(id: string, hash: number): number | undefined {
    const index = this.#table === undefined ? -1 : this.#table.find(hash, id)
    return index === -1 ? undefined : this.#commits[index]
  }
}

/** FNV-1a, cut to the size of a small integer. */
export function hashOf(text: string): number {
  return hashFrom(text, 0)
}

/** The hash of a commit id. For an id made by the library only the last characters are used, because all are random. */
export function hashOfId(id: string): number {
  return hashFrom(id, isOwnId(id) ? id.length - 8 : 0)
}

/** Decided by the form of the id. If a caller's own id has the same form, only its hash differs. */
const isOwnId = (id: string): boolean => id.length === 23 && id.charCodeAt(0) === 0x7e

function hashFrom(text: string, start: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash & 0x3fffffff
}
