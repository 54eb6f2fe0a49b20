/**
 * A thread that writes. It has one connection for each database that it serves, so a sync never blocks the caller's
 * event loop. A transaction holds the thread, but waiting for another process does not if there are other databases
 * here. The thread ends when it is told to.
 */
import { parentPort } from 'node:worker_threads'
import { pauseOf } from '../database/pause.ts'
import type { FromThread, ToThread } from '../database/protocol.ts'
import { ServedDatabase } from './served-database.ts'

const port = parentPort!
const served = new Map<number, ServedDatabase>()
const pause = pauseOf(() => served.size === 1)

port.on('message', (message: ToThread) => {
  // Deno's port cannot be closed. This ends the thread, not the process. Messages that were sent before still arrive.
  if (message === 'leave') return process.exit()
  const { to } = message
  let database = served.get(to)
  if (database === undefined) {
    // A database that has ended by itself is not there any more.
    if (typeof message.message !== 'object' || !('open' in message.message)) return
    const say = (said: FromThread['message']) => {
      if ('closed' in said) served.delete(to)
      port.postMessage({ from: to, message: said } satisfies FromThread)
    }
    database = new ServedDatabase(say, pause)
    served.set(to, database)
  }
  database.take(message.message)
})
