/**
 * Group commit: while one batch is being written, all other commits gather, and then go as the next batch. Batches
 * therefore grow under load, and a single commit waits for nothing. The kernel sends the commits of all actors through
 * one queue. A store may have its own queue, for callers that append to it directly.
 */
import { OverloadError } from '../domain/error.ts'
import { soon } from '../runtime/timers.ts'
import type { Commit } from './commit.ts'
import type { AppendOptions, AppendResult } from './store.ts'

/** Bounds of a commit queue. */
export interface CommitQueueLimits {
  /** The greatest number of commits in a batch. */
  readonly batchCommitsMax: number
  /** The size of a batch at which no further commit joins it, in estimated characters. */
  readonly batchSizeMax: number
  /** The greatest number of commits that wait. Over it `append` rejects with `OVERLOADED`. */
  readonly waitingMax: number
}

interface Waiting {
  readonly commits: readonly Commit[]
  readonly writer: string | undefined
  readonly onWritten: (results: readonly AppendResult[]) => void
  readonly onFailed: (error: unknown) => void
}

/**
 * Writes the commits of several callers as one batch, and returns one result for each commit, in order. The chain rule
 * of `append` binds only commits of one caller, because callers do not know each other.
 *
 * @param writers the writer of each group, if its caller named one
 */
export type WriteGroups = (
  groups: readonly (readonly Commit[])[],
  writers: readonly (string | undefined)[],
) => Promise<readonly AppendResult[]>

export class CommitQueue {
  readonly #write: WriteGroups
  readonly #limits: CommitQueueLimits
  #waiting: Waiting[] = []
  #commitsWaiting = 0
  #busy = false
  #isHeld = false

  constructor(write: WriteGroups, limits: CommitQueueLimits) {
    this.#write = write
    this.#limits = limits
  }

  /**
   * Appends commits together with all others that are waiting. They stay together and in order.
   *
   * @throws OverloadError `OVERLOADED`, or the error of writing the batch
   */
  append(commits: readonly Commit[], { writer }: AppendOptions = {}): Promise<readonly AppendResult[]> {
    if (this.#commitsWaiting + commits.length > this.#limits.waitingMax && this.#commitsWaiting > 0) {
      const facts = { queue: 'waitingMax', sizeMax: this.#limits.waitingMax }
      return Promise.reject(new OverloadError('OVERLOADED', facts))
    }
    return new Promise((resolve, reject) => this.add(commits, writer, resolve, reject))
  }

  /**
   * The same for a caller that bounds what waits. It is called back, because a promise for each of its many rounds
   * would cost more than the rest of this queue. The functions must not throw.
   */
  add(
    commits: readonly Commit[],
    writer: string | undefined,
    onWritten: (results: readonly AppendResult[]) => void,
    onFailed: (error: unknown) => void,
  ): void {
    this.#waiting.push({ commits, writer, onWritten, onFailed })
    this.#commitsWaiting += commits.length
    if (this.#busy || !this.#isDue) return
    this.#busy = true
    soon(() => this.#run())
  }

  /** More commits will come soon: only a full batch begins, until `goOn` is called. */
  hold(): void {
    this.#isHeld = true
  }

  /** What waits may be written again. */
  goOn(): void {
    this.#isHeld = false
    if (this.#busy || !this.#isDue) return
    this.#busy = true
    void this.#run()
  }

  get #isDue(): boolean {
    return this.#waiting.length > 0 && (!this.#isHeld || this.#commitsWaiting >= this.#limits.batchCommitsMax)
  }

  async #run(): Promise<void> {
    while (this.#isDue) {
      const batch = this.#take()
      try {
        const groups = batch.map(({ commits }) => commits)
        const writers = batch.map(({ writer }) => writer)
        const results = await this.#write(groups, writers)
        let next = 0
        for (const { commits, onWritten } of batch) {
          onWritten(results.slice(next, next + commits.length))
          next += commits.length
        }
      } catch (error) {
        for (const { onFailed } of batch) onFailed(error)
      }
    }
    this.#busy = false
  }

  /** The next batch: at least one caller's commits, more up to the bounds. */
  #take(): readonly Waiting[] {
    const { batchCommitsMax, batchSizeMax } = this.#limits
    let count = 0
    let size = 0
    let end = 0
    for (const { commits } of this.#waiting) {
      for (const commit of commits) size += commit.size
      count += commits.length
      if (end > 0 && (count > batchCommitsMax || size > batchSizeMax)) break
      end++
    }
    const batch = this.#waiting.slice(0, end)
    this.#waiting = this.#waiting.slice(end)
    for (const { commits } of batch) this.#commitsWaiting -= commits.length
    return batch
  }
}
