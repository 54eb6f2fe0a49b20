/**
 * A thread that runs statements of users that read, so that a long one does not block the caller's event loop. It has a
 * connection of its own, on which nothing can be written, and does what it is asked in order. All statements between
 * `begin` and `end` see the same moment.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { codeOf, codes, factsOf, factsOfStatement } from '../database/failure.ts'
import type { FromReader, Opening, ReaderReply, ReaderRequest, ToReader } from '../database/protocol.ts'
import { schemaIn } from '../database/schema.ts'
import { openForReading, rollBack } from '../opening/connection.ts'
import { CallerStatements, readingWords } from '../transact/caller-statements.ts'

const port = parentPort!

/** Ends the thread, not the process. Deno's port cannot be closed. Messages that were sent before still arrive. */
const leave = () => process.exit()

const say = (message: FromReader): void => port.postMessage(message)

function start({ settings }: Pick<Opening, 'settings'>): void {
  try {
    const database = openForReading(settings.path)
    const statements = new CallerStatements(database, schemaIn(settings.prefix), readingWords)
    const run = (request: ReaderRequest): ReaderReply => {
      try {
        if (request.ask === 'query') return { answer: statements.read(request) }
        if (request.ask === 'begin') database.exec('BEGIN')
        else rollBack(database)
        return { answer: null }
      } catch (error) {
        if (request.ask !== 'query') return { failure: factsOf(error) }
        // Nothing but the statement itself can want to write here.
        if (codeOf(error) === codes.readOnly)
          return { failure: { kind: 'sql', statement: request.text, reason: 'it writes' } }
        return { failure: factsOfStatement(error, request.text) }
      }
    }
    port.on('message', (message: ToReader) => {
      if (message === 'close') {
        database.close()
        leave()
      } else say(run(message))
    })
  } catch (error) {
    say({ failure: factsOf(error) })
    leave()
  }
}

start(workerData as Pick<Opening, 'settings'>)
