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
        answerAll(batch, await this.#write(groups, writers))
      } catch (error) {
        for (const { onFailed } of batch) onFailed(error)
      }
    }
    this.#busy = false
  }

  /** The next batch: at least one caller's commits, more up to the bounds. */
  #take(): readonly Waiting[] {
    const { batchCommitsMax, batchSizeMax } = this.#limits
    const waiting = this.#waiting
    let count = 0
    let size = 0
    let end = 0
    while (end < waiting.length) {
      const { commits } = waiting[end]!
      const larger = size + sizeOf(commits)
      if (end > 0 && (count + commits.length > batchCommitsMax || larger > batchSizeMax)) break
      count += commits.length
      size = larger
      end++
    }
    this.#commitsWaiting -= count
    if (end === waiting.length) {
      this.#waiting = []
      return waiting
    }
    this.#waiting = waiting.slice(end)
    waiting.length = end
    return waiting
  }
}

// These functions are called so often that they are compiled. Loops within one call for each batch are not, and take
// many times as long.

function sizeOf(commits: readonly Commit[]): number {
  let size = 0
  for (let i = 0; i < commits.length; i++) size += commits[i]!.size
  return size
}

function answerAll(batch: readonly Waiting[], results: readonly AppendResult[]): void {
  let next = 0
  for (let i = 0; i < batch.length; i++) {
    const { commits, onWritten } = batch[i]!
    const from = next
    next += commits.length
    onWritten(results.slice(from, next))
  }
}

/** The commits of all groups in order. */
export function together(groups: readonly (readonly Commit[])[]): readonly Commit[] {
  if (groups.length === 1) return groups[0]!
  let count = 0
  for (let i = 0; i < groups.length; i++) count += groups[i]!.length
  const all: Commit[] = new Array(count)
  let next = 0
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i]!
    for (let j = 0; j < group.length; j++) all[next++] = group[j]!
  }
  return all
}
