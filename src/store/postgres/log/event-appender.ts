/**
 * Appends commits in batches. The calls that gather while a batch is in progress form the next batch, which is one call
 * of the function. A batch that clashes with another transaction is sent again. Every other failure goes to the
 * callers.
 */

import type { Commit } from '../../commit.ts'
import { CommitQueue } from '../../commit-queue.ts'
import type { AppendOptions, AppendResult } from '../../store.ts'
import { batchCall, batchCallAlone } from '../database/append-function.ts'
import type { Database } from '../database/database.ts'
import { isClash, isDouble, isFull } from '../database/failure.ts'
import { quoted } from '../database/tables.ts'
import { lockWaitOf } from '../database/writing.ts'
import type { Settings } from '../options.ts'
import { Batch, type Group } from './batch.ts'

const triesMax = 5
const queueLimits = { batchCommitsMax: 1000, batchSizeMax: 4_000_000, waitingMax: 100_000 }

export class EventAppender {
  readonly #database: Database
  readonly #schema: string
  readonly #statement: string
  readonly #durable: boolean
  readonly #lockWait: string
  readonly #queue: CommitQueue

  constructor(database: Database, { schema, mayLoseOnPowerFailure, timeoutMs }: Settings) {
    this.#database = database
    this.#schema = schema
    this.#statement = batchCall(quoted(schema))
    this.#durable = !mayLoseOnPowerFailure
    database.prepare([this.#statement])
    database.replaceWhereIsolated(this.#statement, batchCallAlone(quoted(schema)))
    this.#lockWait = lockWaitOf(timeoutMs)
    this.#queue = new CommitQueue((groups, writers) => this.#write(groups, writers), queueLimits)
  }

  append(commits: readonly Commit[], options: AppendOptions): Promise<readonly AppendResult[]> {
    return this.#queue.append(commits, options)
  }

  async #write(groups: readonly Group[], writers: readonly (string | undefined)[]): Promise<readonly AppendResult[]> {
    const batch = new Batch(groups, writers, this.#schema)
    let careful = false
    let notifies = true
    for (let tries = 1; ; tries++) {
      try {
        const orders = { durable: this.#durable, lockWait: this.#lockWait, notifies, careful }
        const [row] = await this.#database.query(this.#statement, batch.parameters(orders))
        return batch.results(row!)
      } catch (error) {
        // A commit id that was said to be fresh already exists. The next try looks all ids up.
        if (isDouble(error) && !careful) careful = true
        // A notification is only a hint. If the server has no room for it, the commits are stored without one.
        else if (isFull(error) && notifies) notifies = false
        else if (!isClash(error) || tries >= triesMax) throw error
      }
    }
  }
}
