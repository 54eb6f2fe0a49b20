/**
 * Appends: batches of whatever calls have gathered while the one before was under way, each by one call of the function. A
 * batch that clashed with another is sent again; whatever else fails is the callers' to know.
 */

import type { Commit } from '../commit.ts'
import { CommitQueue } from '../commit-queue.ts'
import type { AppendResult } from '../store.ts'
import { lockWaitOf } from './append-function.ts'
import { Batch, type Group } from './batch.ts'
import type { Database } from './database.ts'
import { isClash, isDouble } from './failure.ts'
import type { Settings } from './options.ts'
import { quoted } from './tables.ts'

const triesMax = 5
const parameterCount = 28
const queueLimits = { batchCommitsMax: 1000, batchSizeMax: 4_000_000, waitingMax: 100_000 }

export class EventAppender {
  readonly #database: Database
  readonly #statement: string
  readonly #durable: boolean
  readonly #lockWait: string
  readonly #queue: CommitQueue

  constructor(database: Database, { schema, mayLoseOnPowerFailure, timeoutMs }: Settings) {
    this.#database = database
    const parameters = Array.from({ length: parameterCount }, (_, i) => `$${i + 1}`)
    this.#statement = `SELECT base, sequences, outcomes FROM ${quoted(schema)}.append_batch(${parameters})`
    this.#durable = !mayLoseOnPowerFailure
    database.prepare([this.#statement])
    this.#lockWait = lockWaitOf(timeoutMs)
    this.#queue = new CommitQueue((groups) => this.#write(groups), queueLimits)
  }

  append(commits: readonly Commit[]): Promise<readonly AppendResult[]> {
    return this.#queue.append(commits)
  }

  async #write(groups: readonly Group[]): Promise<readonly AppendResult[]> {
    const batch = new Batch(groups)
    let careful = false
    for (let tries = 1; ; tries++) {
      try {
        const values = [this.#durable, this.#lockWait, ...batch.parameters(careful)]
        const [row] = await this.#database.query(this.#statement, values)
        return batch.results(row!)
      } catch (error) {
        // An id that was said to be fresh, and is not: then all of them are looked for.
        if (isDouble(error) && !careful) careful = true
        else if (!isClash(error) || tries >= triesMax) throw error
      }
    }
  }
}
