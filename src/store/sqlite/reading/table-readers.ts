/**
 * Reads tables of users, on threads of their own: a few at the same time, made when they are needed. A read that is
 * given up leaves its thread, which ends when SQLite answers; until then it counts as one of the few.
 */
import { OverloadError, StoreError } from '../../../domain/error.ts'
import type { SqlValue } from '../../../domain/sql-statement.ts'
import type { SqlQuery, SqlReading, SqlReadingOptions } from '../../../domain/sql-transaction.ts'
import { queryOf, ReadLimit } from '../../sql-reading.ts'
import { storeNamed } from '../database/failure.ts'
import type { ReaderRequest } from '../database/protocol.ts'
import { boundOf, rowsOf } from '../database/sql-values.ts'
import type { Settings } from '../options.ts'
import { Reader } from './reader.ts'

/** The number of threads. */
const readersMax = 4
/** The number of reads that may wait for a thread. */
const waitingMax = 10_000

export class TableReaders {
  readonly #settings: Settings
  /** All threads that are not gone. */
  readonly #readers = new Set<Reader>()
  #idle: Reader[] = []
  #waiting: ((reader: Reader) => void)[] = []

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** @throws the error of `work`; the signal's reason; StoreError; OverloadError `OVERLOADED` */
  async read<Result>(work: (reading: SqlReading) => Promise<Result>, options: SqlReadingOptions): Promise<Result> {
    const limit = new ReadLimit(storeNamed(this.#settings.path), options)
    try {
      const taken = this.#take()
      const reader = await limit.race(taken).catch((error) => {
        // It may get its turn when nobody waits for it any more.
        taken.then(
          (late) => this.#giveBack(late),
          () => {},
        )
        throw error
      })
      return await this.#readWith(reader, work, limit)
    } finally {
      limit.close()
    }
  }

  /** Ends the threads. Call it when no read is in progress. Threads that were given up end by themselves. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.map((reader) => reader.close()))
  }

  async #readWith<Result>(
    reader: Reader,
    work: (reading: SqlReading) => Promise<Result>,
    limit: ReadLimit,
  ): Promise<Result> {
    let isDone = false
    const query = (text: string, values: readonly SqlValue[]) => {
      if (isDone) throw this.#refused(text, 'the read is over; a query must be awaited within the work')
      return reader.ask(this.#requestOf(text, values))
    }
    try {
      await limit.race(reader.ask({ ask: 'begin' }))
      const reading = Object.freeze({ query: queryWith(query) })
      return await limit.race((async () => work(reading))())
    } finally {
      isDone = true
      await this.#end(reader, limit)
    }
  }

  async #end(reader: Reader, limit: ReadLimit): Promise<void> {
    // It is answered after all queries.
    const ended = reader.ask({ ask: 'end' })
    try {
      await limit.race(ended)
      this.#giveBack(reader)
    } catch (error) {
      reader.abandon(error as StoreError)
    }
  }

  /** @throws StoreError `SQL_FAILED` */
  #requestOf(text: string, values: readonly SqlValue[]): ReaderRequest {
    if (typeof text !== 'string') throw this.#refused(String(text), 'a statement must be a string')
    try {
      return { ask: 'query', text, values: values.map(boundOf) }
    } catch (error) {
      throw this.#refused(text, (error as Error).message)
    }
  }

  #refused(statement: string, reason: string): StoreError {
    return new StoreError('SQL_FAILED', { store: storeNamed(this.#settings.path), statement, reason })
  }

  async #take(): Promise<Reader> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    if (this.#readers.size < readersMax) return this.#made()
    if (this.#waiting.length >= waitingMax) {
      throw new OverloadError('OVERLOADED', { queue: 'reads of tables', sizeMax: waitingMax })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #made(): Reader {
    const reader = new Reader(this.#settings)
    this.#readers.add(reader)
    void reader.exited.then(() => {
      this.#readers.delete(reader)
      this.#idle = this.#idle.filter((other) => other !== reader)
      const next = this.#waiting.shift()
      if (next !== undefined) next(this.#made())
    })
    return reader
  }

  #giveBack(reader: Reader): void {
    if (reader.isEnded) return
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(reader)
    else next(reader)
  }
}

/** Any failure is for its caller to handle. One that nobody waits for changes nothing, because nothing is written. */
const queryWith = (ask: (text: string, values: readonly SqlValue[]) => ReturnType<Reader['ask']>): SqlQuery =>
  ((given: Parameters<SqlQuery>[0], values: readonly SqlValue[] = []) => {
    const answer = (async () => {
      const { text, values: taken } = queryOf(given, values, () => '?')
      return rowsOf((await ask(text, taken))!)
    })()
    answer.catch(() => {})
    return answer
  }) as SqlQuery
