/**
 * A transaction with statements of its caller's, seen from the caller's thread. When its turn comes (`begin`), it has
 * the writer's thread for itself: queries are messages that are answered in order, and those that do not wait for each
 * other go together. When the work has settled no further query is taken; those under way are waited for, and then the
 * step is saved or all is undone.
 *
 * A query that fails is its caller's to handle. One that fails without anybody listening makes the transaction fail:
 * else a statement that was lost would be saved as done. Everybody else's writes wait meanwhile, so there is a limit of
 * time.
 */
import { type MnemeError, StoreError } from '../../../domain/error.ts'
import { soon, startTimer, stopTimer } from '../../../runtime/timers.ts'
import { checkCheckpoint } from '../../checkpoint.ts'
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

/** What a transaction is to do. */
export interface TransactionTask {
  readonly projection: string
  readonly from: CheckpointPlace
  readonly work: (transaction: SqlTransaction) => Promise<Pick<ProjectionStep, 'to' | 'rows'>>
}

/** Requests that go in one message. */
const messageRequestsMax = 1000

interface Asked {
  readonly resolve: (answer: any) => void
  readonly reject: (error: unknown) => void
  readonly doing: string
}

/** The answer to a query, which knows whether anybody listens to it. */
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

  /** Listens without being anybody. */
  watch(onSettled: () => void, onFailed: (error: unknown) => void): void {
    super.then(onSettled, onFailed)
  }
}

export class TransactionClient {
  /** Settles when it is known what became of it. */
  readonly outcome: Promise<void>
  readonly #settings: Settings
  readonly #task: TransactionTask
  readonly #settle: PromiseWithResolvers<void>
  /** Rejects when it is ended from outside. */
  readonly #interruption: PromiseWithResolvers<never>
  /** Requests in order, of which the first so many are answered; emptied when all are. */
  #asked: Asked[] = []
  #answeredCount = 0
  #unsent: TransactionRequest[] = []
  readonly #failures: { readonly answer: Answer<unknown>; readonly error: unknown }[] = []
  /** Queries without an answer, and who waits for there to be none. */
  #queries = 0
  #onAnswered: (() => void) | undefined
  /** Why requests are refused, once they are. */
  #refusal: ((text: string) => MnemeError) | undefined
  /** Nothing, once the thread is gone. */
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
   * To be called when it is its turn.
   *
   * @param post sends to the thread
   * @param release is called when the thread is free again
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

  /** Ends it since there is no thread for it, before or after its turn has come. */
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

  /** Whatever comes of it: the thread does not go on with an open transaction. */
  async #undo(): Promise<void> {
    await this.#ask('undo', {}, 'undoing a transaction').catch(() => {})
  }

  /** Has the work done, within its time. */
  async #work(): Promise<TransactionCalls['save']['request']> {
    const { path, transactionMsMax } = this.#settings
    const expired = startTimer(() => {
      this.#interrupt(new StoreError('TRANSACTION_TOO_LONG', { store: storeNamed(path), transactionMsMax }))
    }, transactionMsMax)
    const query = (text: string, values: readonly SqlValue[] = []) => this.#query(text, values)
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
    this.#refusal ??= (text) => this.#refused(text, 'the transaction is over; a query is to be awaited within the work')
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
    if (typeof text !== 'string') throw this.#refused(String(text), 'a statement is a text')
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
    // Its thread is gone, and has taken all of it along.
    if (this.#post === undefined) return this.#interruption.promise
    const { promise, resolve, reject } = Promise.withResolvers<TransactionCalls[Name]['answer']>()
    this.#asked.push({ resolve, reject, doing })
    this.#unsent.push({ ask: name, ...request } as unknown as TransactionRequest)
    if (this.#unsent.length === 1) soon(() => this.#send())
    else if (this.#unsent.length === messageRequestsMax) this.#send()
    return promise
  }

  /** What is asked for in one turn goes together. */
  #send(): void {
    const asked = this.#unsent
    this.#unsent = []
    if (asked.length === 0) return
    try {
      this.#post?.({ asked })
    } catch (error) {
      // What cannot be said to another thread was not said: no reply will come.
      for (const { reject } of this.#asked.splice(-asked.length)) reject(this.#refused('', (error as Error).message))
      if (asked.some(({ ask }) => ask === 'save')) void this.#undo()
    }
  }
}
