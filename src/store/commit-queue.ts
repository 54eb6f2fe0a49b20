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
  readonly resolve: (results: readonly AppendResult[]) => void
  readonly reject: (error: unknown) => void
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
    const { promise, resolve, reject } = Promise.withResolvers<readonly AppendResult[]>()
    this.#waiting.push({ commits, writer, resolve, reject })
    this.#commitsWaiting += commits.length
    if (!this.#busy) {
      this.#busy = true
      soon(() => this.#run())
    }
    return promise
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take()
      try {
        const groups = batch.map(({ commits }) => commits)
        const writers = batch.map(({ writer }) => writer)
        const results = await this.#write(groups, writers)
        let next = 0
        for (const { commits, resolve } of batch) {
          resolve(results.slice(next, next + commits.length))
          next += commits.length
        }
      } catch (error) {
        for (const { reject } of batch) reject(error)
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
