/**
 * The writer's side of a transaction with the caller's statements. It begins as a transaction that writes, so until its
 * end no other process moves the checkpoint or writes anything. The result of a request is always answered, never
 * thrown.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { CheckpointPlace } from '../../store.ts'
import { Failure, factsOf, factsOfStatement, movedWords } from '../database/failure.ts'
import type { FilesInPlace } from '../database/files-in-place.ts'
import type { Pause } from '../database/pause.ts'
import type { TransactionCalls, TransactionReply, TransactionRequest } from '../database/protocol.ts'
import { schemaIn } from '../database/schema.ts'
import { retryWhileBusy, rollBack } from '../opening/connection.ts'
import type { Settings } from '../options.ts'
import { isSamePlace, type RowWriter } from '../rows/row-writer.ts'
import { CallerStatements, writingWords } from './caller-statements.ts'
import { StoreTables, type Watch } from './store-tables.ts'

interface Open {
  readonly projection: string
  readonly from: CheckpointPlace
  readonly watch: Watch
}

interface TransactionContext {
  readonly database: DatabaseSync
  readonly settings: Settings
  readonly files: FilesInPlace
  readonly rows: RowWriter
  readonly pause: Pause
}

export class WriterTransaction {
  readonly #database: DatabaseSync
  readonly #settings: Settings
  readonly #files: FilesInPlace
  readonly #rows: RowWriter
  readonly #pause: Pause
  readonly #statements: CallerStatements
  readonly #tables: StoreTables
  #open: Open | undefined

  constructor({ database, settings, files, rows, pause }: TransactionContext) {
    this.#database = database
    this.#settings = settings
    this.#files = files
    this.#rows = rows
    this.#pause = pause
    const schema = schemaIn(settings.prefix)
    this.#statements = new CallerStatements(database, schema, writingWords)
    this.#tables = new StoreTables(database, schema)
  }

  /** Whether the connection still has a transaction that should be over. It is then unusable. */
  get isStuck(): boolean {
    return this.#open === undefined && this.#database.isTransaction
  }

  async run(request: TransactionRequest): Promise<TransactionReply> {
    try {
      switch (request.ask) {
        case 'begin':
          return { answer: await this.#begin(request) }
        case 'query':
          return { answer: this.#query(request) }
        case 'save':
          return { answer: this.#save(request) }
        case 'undo':
          return { answer: this.#undo() }
      }
    } catch (error) {
      if (request.ask === 'query') return { failure: factsOfStatement(error, request.text) }
      this.#undo()
      return { failure: factsOf(error) }
    }
  }

  async #begin({ projection, from }: TransactionCalls['begin']['request']): Promise<CheckpointPlace> {
    const database = this.#database
    await retryWhileBusy(this.#settings.lockWaitMs, this.#pause, () => database.exec('BEGIN IMMEDIATE'))
    this.#files.check()
    const actual = this.#rows.checkpoint(projection)
    if (isSamePlace(actual, from)) this.#open = { projection, from, watch: this.#tables.watch() }
    else rollBack(database)
    return actual
  }

  #query(request: TransactionCalls['query']['request']): TransactionCalls['query']['answer'] {
    this.#checkOpen(request.text)
    return this.#statements.run(request)
  }

  #save({ to, rows }: TransactionCalls['save']['request']): null {
    const { projection, from, watch } = this.#checkOpen('COMMIT')
    const change = watch.findChange()
    if (change !== undefined) {
      throw new Failure({ kind: 'sql', statement: 'COMMIT', reason: `the statements before have changed ${change}` })
    }
    watch.end()
    this.#rows.saveStep({ projection, from, to, rows })
    this.#files.check()
    this.#database.exec('COMMIT')
    this.#open = undefined
    const moved = this.#files.findMoved()
    if (moved !== undefined) throw new Error(movedWords(moved))
    return null
  }

  #undo(): null {
    this.#open?.watch.end()
    this.#open = undefined
    rollBack(this.#database)
    return null
  }

  /**
   * A statement that fails with ROLLBACK as its conflict clause ends the transaction. Later statements would be saved
   * on their own.
   */
  #checkOpen(statement: string): Open {
    if (this.#open !== undefined && this.#database.isTransaction) return this.#open
    throw new Failure({ kind: 'sql', statement, reason: 'a statement before it has rolled back the transaction' })
  }
}
