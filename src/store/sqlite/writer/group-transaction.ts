/**
 * Runs a group of requests as one transaction: one sync for all of them, which makes many callers fast.
 *
 * A request that fails does not affect the others: the transaction is rolled back, and each request of the group runs
 * again in its own transaction. Only a failed commit affects all. Its outcome is unknown, so nothing is run again. The
 * outcome is also unknown if the files were deleted or replaced during the commit. Before the commit that is noticed in
 * time.
 */
import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { codes, type FailureFacts, factsOf, movedWords } from '../database/failure.ts'
import type { FilesInPlace } from '../database/files-in-place.ts'
import { logPathOf } from '../database/log-path.ts'
import { separate } from '../database/merged-appends.ts'
import type { Pause } from '../database/pause.ts'
import type { Reply, Request } from '../database/protocol.ts'
import type { StatementSet } from '../database/statement-set.ts'
import type { WritingName } from '../database/statements.ts'
import { EventAppender } from '../log/event-appender.ts'
import { ReservationBook } from '../log/reservation-book.ts'
import { retryWhileBusy, rollBack } from '../opening/connection.ts'
import type { Settings } from '../options.ts'
import { RowWriter } from '../rows/row-writer.ts'

/**
 * The size in bytes at which the write-ahead log is emptied by force. That does not wait for readers, but tries again
 * soon.
 */
const walSizeMax = 64 * 1024 * 1024
const groupsBetweenLooks = 128

interface GroupContext {
  readonly database: DatabaseSync
  readonly settings: Settings
  readonly files: FilesInPlace
  readonly statements: StatementSet<WritingName>
  readonly pause: Pause
}

export class GroupTransaction {
  readonly #database: DatabaseSync
  readonly #settings: Settings
  readonly #files: FilesInPlace
  readonly #pause: Pause
  readonly #reservations: ReservationBook
  readonly #appender: EventAppender
  readonly #rows: RowWriter
  #groups = 0

  constructor({ database, settings, files, statements, pause }: GroupContext) {
    this.#database = database
    this.#settings = settings
    this.#files = files
    this.#pause = pause
    this.#reservations = new ReservationBook(statements)
    this.#appender = new EventAppender(database, settings.prefix, statements, this.#reservations)
    this.#rows = new RowWriter(statements)
  }

  /** Never rejects. The replies have the result of each request, or of each of the requests that were merged. */
  async run(requests: readonly Request[]): Promise<readonly Reply[]> {
    const answers = await this.#try(requests)
    const alone = 'undone' in answers && isOfOneRequest(answers.undone) ? requests.flatMap(separate) : []
    const replies = alone.length > 1 ? await this.#eachAlone(alone) : repliesOf(answers, requests.length)
    this.#appender.trim()
    return replies
  }

  async #eachAlone(requests: readonly Request[]): Promise<readonly Reply[]> {
    const replies: Reply[] = []
    for (const request of requests) replies.push(repliesOf(await this.#try([request]), 1)[0]!)
    return replies
  }

  /** Keeps the write-ahead log from growing if readers always prevent its reset. */
  tidy(): void {
    if (++this.#groups % groupsBetweenLooks !== 0) return
    const size = statSync(logPathOf(this.#settings.path), { throwIfNoEntry: false })?.size ?? 0
    if (size > walSizeMax) this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  async #try(requests: readonly Request[]): Promise<Outcome> {
    const database = this.#database
    let committing = false
    try {
      await retryWhileBusy(this.#settings.lockWaitMs, this.#pause, () => database.exec('BEGIN IMMEDIATE'))
      this.#appender.begin()
      this.#reservations.begin(nowOf(requests))
      const answers = requests.map((request) => ({ answer: this.#run(request) }))
      this.#appender.end()
      this.#files.check()
      committing = true
      database.exec('COMMIT')
      const moved = this.#files.findMoved()
      if (moved !== undefined) throw new Error(movedWords(moved))
      return { replies: answers }
    } catch (error) {
      this.#appender.forget()
      const failure = factsOf(error)
      rollBack(database)
      return committing ? { failed: failure } : { undone: failure }
    }
  }

  #run(request: Request): Extract<Reply, { readonly answer: unknown }>['answer'] {
    switch (request.call) {
      case 'append':
        return this.#appender.append(request)
      case 'reserve':
        return this.#reservations.reserve(request)
      case 'saveStep':
        return this.#rows.saveStep(request)
      case 'resetProjection':
        return this.#rows.resetProjection(request)
      case 'saveSnapshot':
        return this.#rows.saveSnapshot(request)
      case 'acquireLease':
        return this.#rows.acquireLease(request)
      case 'releaseLease':
        return this.#rows.releaseLease(request)
    }
  }
}

/** The time of the last request; 0 if none has one. */
function nowOf(requests: readonly Request[]): number {
  return requests.reduce((latest, request) => ('now' in request ? Math.max(latest, request.now) : latest), 0)
}

type Outcome =
  | { readonly replies: readonly Reply[] }
  | { readonly undone: FailureFacts }
  | { readonly failed: FailureFacts }

/**
 * Whether a failure may belong to one request. Otherwise the others would fail again, because the whole file has
 * failed.
 */
function isOfOneRequest(failure: FailureFacts): boolean {
  if (failure.kind !== 'sqlite') return failure.kind === 'unexpected'
  const ofAll: readonly number[] = [codes.readOnly, codes.ioError, codes.corrupt, codes.notDatabase]
  return !ofAll.includes(failure.code & 0xff)
}

function repliesOf(outcome: Outcome, count: number): readonly Reply[] {
  if ('replies' in outcome) return outcome.replies
  const isUndone = 'undone' in outcome
  const failure = isUndone ? outcome.undone : outcome.failed
  return Array.from({ length: count }, () => ({ failure, isUndone }))
}
