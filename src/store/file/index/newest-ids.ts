/**
 * The greatest commit id of each stream, in the order of texts. An id that is greater than all ids of its stream is
 * certainly new there, and one comparison shows it. Ids made by the library begin with the time, so nearly all need no
 * search in the index. Only some streams are remembered. In another stream, an id is new if it is greater than all ids
 * that the log had when streams were last forgotten.
 */

/** The number of streams that are remembered. */
const streamsMaxDefault = 20_000

export class NewestIds {
  /** At least as great as every id of the streams that are not in the map. */
  #others = ''
  #newest = ''
  readonly #byStream = new Map<number, string>()
  readonly #streamsMax: number

  constructor(streamsMax: number = streamsMaxDefault) {
    this.#streamsMax = streamsMax
  }

  /** The greatest id of all. */
  get newest(): string {
    return this.#newest
  }

  /** @param newest at least as great as every id that was added before it was saved */
  restore(newest: string): void {
    this.#newest = newest
    this.#others = newest
  }

  /** Whether an id is greater than all ids of its stream. If not, it may still be new. */
  isAfterAll(stream: number, commitId: string): boolean {
    return commitId > (this.#byStream.get(stream) ?? this.#others)
  }

  add(stream: number, commitId: string): void {
    if (this.isAfterAll(stream, commitId)) {
      if (this.#byStream.size === this.#streamsMax) {
        this.#byStream.clear()
        this.#others = this.#newest
      }
      this.#byStream.set(stream, commitId)
    }
    if (commitId > this.#newest) this.#newest = commitId
  }
}
