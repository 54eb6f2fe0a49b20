/** What stores with SQL share when they read tables of users: the notation, the bounds of a result, and the time. */
import { StoreError } from '../domain/error.ts'
import { isSqlStatement, type SqlStatement, type SqlValue, sqlText } from '../domain/sql-statement.ts'
import { type SqlReadingOptions, sqlRowsMax, sqlSizeMax } from '../domain/sql-transaction.ts'
import { startTimer, stopTimer } from '../runtime/timers.ts'

/** What `query` got, as a text in the notation of the database and its values. */
export function queryOf(
  given: string | SqlStatement<any>,
  values: readonly SqlValue[],
  markOf: (number: number) => string,
): { readonly text: string; readonly values: readonly SqlValue[] } {
  if (!isSqlStatement(given)) return { text: given, values }
  // Values beside those of the statement are too many, which the database refuses.
  return { text: sqlText(given, markOf), values: [...given.values, ...values] }
}

/** Counts a result, whose size nobody knows before. */
export class ResultCount {
  #rows = 0
  #size = 0

  /** Counts a row. @returns whether the result is still small enough */
  add(row: readonly unknown[]): boolean {
    this.#rows++
    for (const value of row) this.#size += sizeOf(value)
    return this.#rows <= sqlRowsMax && this.#size <= sqlSizeMax
  }

  /** The size of a row on average; 0 if there is none. */
  get rowSize(): number {
    return this.#rows === 0 ? 0 : this.#size / this.#rows
  }
}

const sizeOf = (value: unknown): number =>
  typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.byteLength : 8

export const tooLarge = (store: string, statement: string): StoreError =>
  new StoreError('RESULT_TOO_LARGE', { store, statement, rowsMax: sqlRowsMax, sizeMax: sqlSizeMax })

/** Ends the waits of a read when its time is up, or its signal is aborted. */
export class ReadLimit {
  readonly timeoutMs: number
  readonly #ended = Promise.withResolvers<never>()
  readonly #timer: ReturnType<typeof startTimer>
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = () => this.#end(this.#signal?.reason)
  /** Called when it ends too early. */
  onEnd: (() => void) | undefined
  #isOver = false

  /** @throws the signal's reason */
  constructor(store: string, { timeoutMs, signal }: SqlReadingOptions) {
    signal?.throwIfAborted()
    this.#ended.promise.catch(() => {})
    this.timeoutMs = timeoutMs
    this.#signal = signal
    this.#timer = startTimer(
      () => this.#end(new StoreError('READ_TOO_LONG', { store, readTimeoutMs: timeoutMs })),
      timeoutMs,
    )
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Whether it ended too early. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Waits for something. @throws StoreError `READ_TOO_LONG`; the signal's reason */
  race<Result>(awaited: Promise<Result>): Promise<Result> {
    // It may fail when nobody waits any more.
    awaited.catch(() => {})
    return Promise.race([this.#ended.promise, awaited])
  }

  /** Call this when the read is done. */
  close(): void {
    stopTimer(this.#timer)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  #end(error: unknown): void {
    this.close()
    this.#isOver = true
    this.#ended.reject(error)
    this.onEnd?.()
  }
}
