/**
 * The writer's thread: owns the one connection that writes, so that no sync ever holds up the caller's event loop. It ends
 * when it is told to, when the database cannot be opened, and after an input/output error: what the connection then
 * believes about the file may be wrong, and the next thread opens it afresh.
 */
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { openForWriting } from './connection.ts'
import { codes, factsOf } from './failure.ts'
import { GroupTransaction } from './group-transaction.ts'
import type { Settings } from './options.ts'
import type { FromWriter, Reply, ToWriter } from './protocol.ts'

const port = parentPort!

function say(message: FromWriter): void {
  port.postMessage(message)
}

function serve(database: DatabaseSync, settings: Settings): void {
  const transactions = new GroupTransaction(database, settings)
  const end = () => {
    database.close()
    port.close()
  }
  port.on('message', (message: ToWriter) => {
    if (message === 'close') return end()
    const replies = transactions.run(message)
    say({ replies })
    if (replies.some(isInputOutputError)) end()
    else transactions.tidy()
  })
}

function isInputOutputError(reply: Reply): boolean {
  return 'failure' in reply && reply.failure.kind === 'sqlite' && (reply.failure.code & 0xff) === codes.ioError
}

function start(settings: Settings): void {
  let database: DatabaseSync
  try {
    database = openForWriting(settings)
    serve(database, settings)
  } catch (error) {
    say({ opened: factsOf(error) })
    port.close()
    return
  }
  say({ opened: 'well' })
}

start(workerData as Settings)
