/**
 * The writer's thread. It owns the one connection that writes, so a sync never blocks the caller's event loop. It ends
 * when it is told to, when the database cannot be opened, and after an input/output error. After such an error the
 * connection's view of the file may be wrong, so the next thread opens the file again.
 */
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { codes, factsOf } from '../database/failure.ts'
import { FilesInPlace } from '../database/files-in-place.ts'
import type { FromWriter, Reply, ToWriter, TransactionReply, WriterData } from '../database/protocol.ts'
import { prepareAll } from '../database/statement-set.ts'
import { writingIn } from '../database/statements.ts'
import { openForWriting } from '../opening/connection.ts'
import type { Settings } from '../options.ts'
import { RowWriter } from '../rows/row-writer.ts'
import { WriterTransaction } from '../transact/writer-transaction.ts'
import { GroupTransaction } from './group-transaction.ts'

const port = parentPort!

/** Ends the thread, not the process. Deno's port cannot be closed. Messages that were sent before still arrive. */
const leave = () => process.exit()

function say(message: FromWriter): void {
  port.postMessage(message)
}

function serve(database: DatabaseSync, settings: Settings, files: FilesInPlace): void {
  const statements = prepareAll(database, writingIn(settings.prefix))
  const groups = new GroupTransaction(database, settings, files, statements)
  const callers = new WriterTransaction(database, settings, files, new RowWriter(statements))
  const end = () => {
    database.close()
    leave()
  }
  port.on('message', (message: ToWriter) => {
    if (message === 'close') return end()
    if ('asked' in message) {
      const answered = message.asked.map((request) => callers.run(request))
      say({ answered })
      if (answered.some(isInputOutputError) || callers.isStuck) return end()
    } else {
      const replies = groups.run(message)
      say({ replies })
      if (replies.some(isInputOutputError)) return end()
    }
    if (!database.isTransaction) groups.tidy()
  })
}

function isInputOutputError(reply: Reply | TransactionReply): boolean {
  return 'failure' in reply && reply.failure.kind === 'sqlite' && (reply.failure.code & 0xff) === codes.ioError
}

/** A later thread opens the same files or none. It does not make missing files again. */
function start({ settings, identities }: WriterData): void {
  let files: FilesInPlace
  try {
    if (identities !== undefined) new FilesInPlace(settings.path, identities).check()
    const { database, cut } = openForWriting(settings)
    if (cut !== undefined) say({ cut })
    files = new FilesInPlace(settings.path, identities)
    files.check()
    serve(database, settings, files)
  } catch (error) {
    say({ opened: factsOf(error) })
    leave()
    return
  }
  say({ opened: files.identities })
}

start(workerData as WriterData)
