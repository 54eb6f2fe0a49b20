/**
 * The way between a process and the tables of users: a transaction begins, runs its statements and is saved by calls of
 * their own, each of which may fail, be lost or come late. If the process ends, or cannot be reached, the store undoes
 * the transaction when it notices that.
 */
import { StoreError } from '../../domain/error.ts'
import type { Store } from '../../store/store.ts'
import { type Borrowed, lend, lendReading } from './lent-tables.ts'
import type { SimulatedProcess } from './process.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { Transaction } from './simulated-tables.ts'

/** Calls the store. @param args what the call is about, for who watches it */
export type Ask = <Result>(doing: string, args: readonly unknown[], effect: () => Promise<Result>) => Promise<Result>

export interface SqlWayOptions {
  readonly store: SimulatedStore
  readonly process: SimulatedProcess
  readonly ask: Ask
  /** Lets something happen after the time that a message takes. */
  readonly later: (what: string, run: () => void, owner?: SimulatedProcess) => unknown
  /** The same after a time in milliseconds. @returns a function that cancels it */
  readonly after: (delayMs: number, what: string, run: () => void, owner?: SimulatedProcess) => () => void
}

/** How long a transaction may be open. */
const transactionMsMax = 10_000

export function sqlWay(options: SqlWayOptions): Pick<Store, 'transact' | 'readSql'> {
  const { store, process, ask, after } = options
  const { name } = store
  return {
    async transact(projection, from, work) {
      const open = new OpenTransaction(options)
      await open.begin(() => ask('transact', [projection], () => open.opened(store.begin(projection, from, process))))
      await lend(work, open, (step) => {
        const saved = { from, ...step }
        return ask('transact saves', [projection, saved], () => store.save(open.transaction, saved))
      })
    },
    async readSql(work, { timeoutMs, signal }) {
      signal?.throwIfAborted()
      const { promise: ended, reject } = Promise.withResolvers<never>()
      ended.catch(() => {})
      const tooLong = () => reject(new StoreError('READ_TOO_LONG', { store: name, readTimeoutMs: timeoutMs }))
      const cancel = after(timeoutMs, 'reads for too long', tooLong, process)
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      try {
        const reading = await ask('readSql', [], async () => store.tables.reading())
        return await lendReading(work, {
          name,
          ended,
          query: (text, values) => ask('readSql', [], async () => reading.query(text, values)),
          end: () => reading.close(),
        })
      } finally {
        cancel()
      }
    },
  }
}

/** A transaction that a process uses from afar. */
class OpenTransaction implements Borrowed {
  readonly name: string
  readonly ended: Promise<never>
  readonly #fail: (error: unknown) => void
  readonly #options: SqlWayOptions
  #transaction: Transaction | undefined
  #isGivenUp = false

  constructor(options: SqlWayOptions) {
    this.#options = options
    this.name = options.store.name
    const { promise, reject } = Promise.withResolvers<never>()
    this.ended = promise
    promise.catch(() => {})
    this.#fail = reject
  }

  get transaction(): Transaction {
    return this.#transaction!
  }

  /** Gives it up if it cannot be begun, or if nobody knows whether it was. */
  async begin(asking: () => Promise<unknown>): Promise<void> {
    try {
      await asking()
    } catch (error) {
      this.end()
      throw error
    }
  }

  /** The store has begun it. */
  async opened(beginning: Promise<Transaction>): Promise<void> {
    const { process, later, after, store } = this.#options
    const transaction = await beginning
    this.#transaction = transaction
    if (this.#isGivenUp || process.isDead) return transaction.end()
    const tooLong = () =>
      transaction.end(new StoreError('TRANSACTION_TOO_LONG', { store: store.name, transactionMsMax }))
    after(transactionMsMax, 'has a transaction for long', tooLong)
    transaction.onEnded = (error) => later('is told', () => this.#fail(error), process)
  }

  query(...[text, values]: Parameters<Borrowed['query']>): ReturnType<Borrowed['query']> {
    const { ask } = this.#options
    const { projection } = this.transaction
    return ask('transact queries', [projection], async () => this.transaction.query(text, values))
  }

  end(): void {
    this.#isGivenUp = true
    const transaction = this.#transaction
    if (transaction !== undefined) this.#options.later('undoes', () => transaction.end())
  }
}
