/**
 * The end of the log, and where commits are known to begin and end. A commit never changes, so what was once known of it holds for
 * ever: a read that goes on where another ended needs not ask whether a commit reaches into its range.
 */
import { type CommitHeader, headerFields, receiptOf } from './commit-document.ts'
import type { Database, Query } from './database.ts'
import { byId } from './indexes.ts'

/** How many places are remembered: those at which the readers of this process are about to go on. */
const placesMax = 1000

export class LogEnd {
  readonly #database: Database
  /** By position, where the commit begins that reaches into what lies from there on; 0 if one begins right there. */
  readonly #reaching = new Map<number, number>([[1, 0]])
  /** Where the newest commit begins that was seen. */
  #newest = 0

  constructor(database: Database) {
    this.#database = database
  }

  /** The last position of the log. Looked for from the newest commit on: not every server reads an index from its end. */
  async read(signal?: AbortSignal): Promise<number> {
    const query: Query = {
      ...{ filter: { _id: { $gte: BigInt(this.#newest) } }, sort: { _id: -1 }, limit: 1 },
      ...{ projection: headerFields, hint: byId },
    }
    const [last] = await this.#database.find<CommitHeader>('commits', query, signal)
    if (last === undefined) {
      if (this.#newest === 0) return 0
      // The log was made anew behind the store's back: nothing that is known of it holds.
      this.#newest = 0
      this.#reaching.clear()
      return this.read(signal)
    }
    this.learn(last)
    return receiptOf(last).position
  }

  /** Remembers a commit that a majority has, as one behind which, or at some position of which, a read may go on. */
  learn({ _id, count }: Pick<CommitHeader, '_id' | 'count'>, next: number = _id + count): void {
    this.#newest = Math.max(this.#newest, _id)
    if (this.#reaching.size >= placesMax) this.#reaching.clear()
    this.#reaching.set(next, next < _id + count ? _id : 0)
  }

  /** Where the commit begins that reaches into the log from a position on; 0 if none does, undefined if it is not known. */
  reachingInto(position: number): number | undefined {
    return position <= 1 ? 0 : this.#reaching.get(position)
  }
}
