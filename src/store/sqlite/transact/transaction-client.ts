/**
 * The caller's side of a transaction with the caller's statements. When it has its turn (`begin`), it has the writer's
 * thread for itself. Queries are messages that are answered in order, and queries that do not wait for each other are
 * sent together. When the work has settled, no further query is accepted. Queries in progress are waited for, and then
 * the step is saved or everything is undone.
 *
 * A failed query is for its caller to handle. If nothing listens for the failure, the transaction fails. Otherwise a
 * lost statement would be saved as done. All other writes wait meanwhile, so there is a time limit.
 */
import { type MnemeError, StoreError } from '../../../domain/error.ts'
import type { SqlStatement } from '../../../domain/sql-statement.ts'
import { soon, startTimer, stopTimer } from '../../../runtime/timers.ts'
import { checkCheckpoint } from '../../checkpoint.ts'
import { queryOf } from '../../sql-reading.ts'
import type { CheckpointPlace, ProjectionStep, SqlTransaction, SqlValue } from '../../store.ts'
import { errorOf, storeNamed } from '../database/failure.ts'
import {
  type Bound,
  packCheckpoint,
  packRows,
  placeOf,
  type ToWriter,
  type TransactionCallName,
  type TransactionCalls,
  type TransactionReply,
  type TransactionRequest,
} from '../database/protocol.ts'
import { boundOf, rowsOf } from '../database/sql-values.ts'
import type { Settings } from '../options.ts'

/** The task of a transaction. */
export interface TransactionTask {
  readonly projection: string
  readonly from: CheckpointPlace
  readonly work: (transaction: SqlTransaction) => Promise<Pick<ProjectionStep, 'to' | 'rows'>>
}

/** The number of requests in one message. */
const messageRequestsMax = 1000

interface Asked {
  readonly resolve: (answer: any) => void
  readonly reject: (error: unknown) => void
  readonly doing: string
}

/** The answer to a query. It knows whether anything listens to it. */
class Answer<Result> extends Promise<Result> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  isHeard = false

  // biome-ignore lint/suspicious/noThenProperty: a promise has one.
  override then<Next = Result, Otherwise = never>(
    onFulfilled?: ((result: Result) => Next | PromiseLike<Next>) | null,
    onRejected?: ((error: unknown) => Otherwise | PromiseLike<Otherwise>) | null,
  ): Promise<Next | Otherwise> {
    this.isHeard = true
    return super.then(onFulfilled, onRejected)
  }

  /** Listens, but does not count as a listener. */
  watch(onSettled: () => void, onFailed: (error: unknown) => void): void {
    super.then(onSettled, onFailed)
  }
}

export class TransactionClient {
  /** Settles with the outcome of the transaction. */
  readonly outcome: Promise<void>
  readonly #settings: Settings
  readonly #task: TransactionTask
  readonly #settle: PromiseWithResolvers<void>
  /** Rejects when it is ended from outside. */
  readonly #interruption: PromiseWithResolvers<never>
  /** Requests in order, the answered ones first. Emptied when all are answered. */
  #asked: Asked[] = []
  #answeredCount = 0
  #unsent: TransactionRequest[] = []
  readonly #failures: { readonly answer: Answer<unknown>; readonly error: unknown }[] = []
  /** The number of queries without an answer, and the function to call at the last answer. */
  #queries = 0
  #onAnswered: (() => void) | undefined
  /** Makes the error for requests, once they are refused. */
  #refusal: ((text: string) => MnemeError) | undefined
  /** Sends to the thread. Absent once the thread is gone. */
  #post: ((message: ToWriter) => void) | undefined

  constructor(settings: Settings, task: TransactionTask) {
    this.#settings = settings
    this.#task = task
    this.#settle = Promise.withResolvers()
    this.#interruption = Promise.withResolvers()
    this.#interruption.promise.catch(() => {})
    this.outcome = this.#settle.promise
  }

  /**
   * Call this when it has its turn.
   *
   * @param post sends to the thread
   * @param release called when the thread is free again
   */
  begin(post: (message: ToWriter) => void, release: () => void): void {
    this.#post = post
    this.#run().then(this.#settle.resolve, this.#settle.reject).finally(release)
  }

  /** Takes the thread's replies to the oldest requests. */
  take(replies: readonly TransactionReply[]): void {
    for (const reply of replies) {
      const { resolve, reject, doing } = this.#asked[this.#answeredCount++]!
      if ('answer' in reply) resolve(reply.answer)
      else reject(errorOf(this.#settings.path, doing, reply.failure))
    }
    if (this.#answeredCount < this.#asked.length) return
    this.#asked = []
    this.#answeredCount = 0
  }

  /** Ends it because there is no thread, before or after its turn. */
  reject(error: MnemeError): void {
    this.#post = undefined
    this.#interrupt(error)
  }

  #interrupt(error: MnemeError): void {
    this.#refusal = () => error
    for (const { reject } of this.#asked) reject(error)
    this.#interruption.reject(error)
    this.#settle.reject(error)
  }

  async #run(): Promise<void> {
    const { projection, from } = this.#task
    const actual = await this.#ask('begin', { projection, from: placeOf(from) }, 'beginning a transaction')
    checkCheckpoint(projection, from, actual)
    let step: TransactionCalls['save']['request']
    try {
      step = await this.#work()
    } catch (error) {
      await this.#undo()
      throw error
    }
    await this.#ask('save', step, 'saving a step of a projection')
  }

  /** Undoes the transaction. In any case the thread does not continue with an open transaction. */
  async #undo(): Promise<void> {
    await this.#ask('undo', {}, 'undoing a transaction').catch(() => {})
  }

  /** Runs the work, within its time limit. */
  async #work(): Promise<TransactionCalls['save']['request']> {
    const { path, transactionMsMax } = this.#settings
    const expired = startTimer(() => {
      this.#interrupt(new StoreError('TRANSACTION_TOO_LONG', { store: storeNamed(path), transactionMsMax }))
    }, transactionMsMax)
    const query = (given: string | SqlStatement<any>, values: readonly SqlValue[] = []) => {
      const { text, values: taken } = queryOf(given, values, () => '?')
      return this.#query(text, taken)
    }
    try {
      const working = (async () => this.#task.work(Object.freeze({ query }) as SqlTransaction))()
      const { to, rows } = await Promise.race([this.#interruption.promise, working])
      this.#end()
      await Promise.race([this.#interruption.promise, this.#answered()])
      const lost = this.#failures.find(({ answer }) => !answer.isHeard)
      if (lost !== undefined) throw lost.error
      return { to: packCheckpoint(to), rows: packRows(rows).flat }
    } finally {
      stopTimer(expired)
      this.#end()
    }
  }

  #end(): void {
    this.#refusal ??= (text) => this.#refused(text, 'the transaction is over; a query must be awaited within the work')
  }

  async #answered(): Promise<void> {
    if (this.#queries === 0) return
    await new Promise<void>((resolve) => {
      this.#onAnswered = resolve
    })
  }

  #query(text: string, values: readonly SqlValue[]): Promise<readonly Record<string, Bound>[]> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal(text))
    const answer = new Answer<readonly Record<string, Bound>[]>((resolve, reject) => {
      this.#ask('query', this.#requestOf(text, values), 'running a statement').then(
        (found) => resolve(rowsOf(found)),
        reject,
      )
    })
    this.#queries++
    const settled = () => {
      if (--this.#queries === 0) this.#onAnswered?.()
    }
    answer.watch(settled, (error) => {
      this.#failures.push({ answer, error })
      settled()
    })
    return answer
  }

  /** @throws StoreError `SQL_FAILED` */
  #requestOf(text: string, values: readonly SqlValue[]): TransactionCalls['query']['request'] {
    if (typeof text !== 'string') throw this.#refused(String(text), 'a statement must be a string')
    try {
      return { text, values: values.map(boundOf) }
    } catch (error) {
      throw this.#refused(text, (error as Error).message)
    }
  }

  #refused(statement: string, reason: string): StoreError {
    return new StoreError('SQL_FAILED', { store: storeNamed(this.#settings.path), statement, reason })
  }

  #ask<Name extends TransactionCallName>(
    name: Name,
    request: TransactionCalls[Name]['request'],
    doing: string,
  ): Promise<TransactionCalls[Name]['answer']> {
    // Its thread is gone, and with it the transaction.
    if (this.#post === undefined) return this.#interruption.promise
    const { promise, resolve, reject } = Promise.withResolvers<TransactionCalls[Name]['answer']>()
    this.#asked.push({ resolve, reject, doing })
    this.#unsent.push({ ask: name, ...request } as unknown as TransactionRequest)
    if (this.#unsent.length === 1) soon(() => this.#send())
    else if (this.#unsent.length === messageRequestsMax) this.#send()
    return promise
  }

  /** Requests of one turn are sent together. */
  #send(): void {
    const asked = this.#unsent
    this.#unsent = []
    if (asked.length === 0) return
    try {
      this.#post?.({ asked })
    } catch (error) {
      // A request that cannot be sent to another thread was not sent, so there will be no reply.
      for (const { reject } of this.#asked.splice(-asked.length)) reject(this.#refused('', (error as Error).message))
      if (asked.some(({ ask }) => ask === 'save')) void this.#undo()
    }
  }
}
