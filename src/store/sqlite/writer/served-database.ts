/**
 * One database on a thread, with the connection that writes. Messages are handled in order, one at a time. It closes
 * when it is told to, when the database cannot be opened, and after an input/output error. After such an error the
 * connection's view of the file may be wrong, so the store opens the file again, with a new connection.
 */
import type { DatabaseSync } from 'node:sqlite'
import { codes, factsOf } from '../database/failure.ts'
import { FilesInPlace } from '../database/files-in-place.ts'
import type { Pause } from '../database/pause.ts'
import type { FromWriter, Opening, Reply, ToWriter, TransactionReply } from '../database/protocol.ts'
import { prepareAll } from '../database/statement-set.ts'
import { writingIn } from '../database/statements.ts'
import { openForWriting } from '../opening/connection.ts'
import { RowWriter } from '../rows/row-writer.ts'
import { WriterTransaction } from '../transact/writer-transaction.ts'
import { GroupTransaction } from './group-transaction.ts'

interface Open {
  readonly database: DatabaseSync
  readonly groups: GroupTransaction
  readonly callers: WriterTransaction
}

export class ServedDatabase {
  readonly #say: (message: FromWriter) => void
  readonly #pause: Pause
  #waiting: ToWriter[] = []
  #isBusy = false
  #open: Open | undefined

  constructor(say: (message: FromWriter) => void, pause: Pause) {
    this.#say = say
    this.#pause = pause
  }

  take(message: ToWriter): void {
    this.#waiting.push(message)
    if (!this.#isBusy) void this.#handleAll()
  }

  async #handleAll(): Promise<void> {
    this.#isBusy = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#handle(next)
      } catch (error) {
        // Other databases of the thread go on.
        this.#close(error instanceof Error ? error.message : String(error))
      }
    }
    this.#isBusy = false
  }

  async #handle(message: ToWriter): Promise<void> {
    if (message === 'close') return this.#close()
    if ('open' in message) return this.#start(message.open)
    // It has ended after an error. The store knows that the outcome of what it sent since then is unknown.
    if (this.#open === undefined) return
    const { database, groups, callers } = this.#open
    if ('asked' in message) {
      const answered: TransactionReply[] = []
      for (const request of message.asked) answered.push(await callers.run(request))
      this.#say({ answered })
      if (answered.some(isInputOutputError) || callers.isStuck) return this.#close('an input/output error')
    } else {
      const replies = await groups.run(message)
      this.#say({ replies })
      if (replies.some(isInputOutputError)) return this.#close('an input/output error')
    }
    if (!database.isTransaction) groups.tidy()
  }

  /** If the store had it open before, the same files or none are opened. Missing files are not made again. */
  async #start({ settings, identities }: Opening): Promise<void> {
    let opened: DatabaseSync | undefined
    try {
      if (identities !== undefined) new FilesInPlace(settings.path, identities).check()
      const { database, cut } = await openForWriting(settings, this.#pause)
      opened = database
      if (cut !== undefined) this.#say({ cut })
      const files = new FilesInPlace(settings.path, identities)
      files.check()
      const statements = prepareAll(database, writingIn(settings.prefix))
      const groups = new GroupTransaction({ database, settings, files, statements, pause: this.#pause })
      const rows = new RowWriter(statements)
      const callers = new WriterTransaction({ database, settings, files, rows, pause: this.#pause })
      this.#open = { database, groups, callers }
      this.#say({ opened: files.identities })
    } catch (error) {
      opened?.close()
      this.#say({ opened: factsOf(error) })
      this.#close()
    }
  }

  #close(reason?: string): void {
    const open = this.#open
    this.#open = undefined
    try {
      open?.database.close()
    } catch {
      // What is committed is in the files. The next connection reads it there.
    }
    this.#say({ closed: reason })
  }
}

function isInputOutputError(reply: Reply | TransactionReply): boolean {
  return 'failure' in reply && reply.failure.kind === 'sqlite' && (reply.failure.code & 0xff) === codes.ioError
}
