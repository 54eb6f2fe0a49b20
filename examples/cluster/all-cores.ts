/**
 * The bank over HTTP, on all cores of the machine:
 *
 *     node examples/cluster/all-cores.ts bank.db 8080
 *     curl localhost:8080 -d '{ "aggregate": "account", "id": "ada", "name": "open", "data": { "owner": "Ada" } }'
 */
import { createServer, type RequestListener } from 'node:http'
import { json } from 'node:stream/consumers'
import { runOnAllCores } from '../../src/cluster/index.ts'
import { MnemeError } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { Bank } from '../bank/bank.ts'

const [path = 'bank.db', port = '8080'] = process.argv.slice(2)
type RunningBank = Awaited<ReturnType<typeof Bank.start>>

/** Handles the command in the body of a request. */
const answer =
  (bank: RunningBank): RequestListener =>
  async (request, response) => {
    try {
      const outcome = await bank.try.dispatch(bank.parseCommand(await json(request)))
      response.statusCode = outcome.accepted ? 200 : 409
      response.end(JSON.stringify(outcome.accepted ? outcome.state : outcome.rejection))
    } catch (error) {
      response.statusCode = error instanceof MnemeError && !error.retryable ? 400 : 500
      response.end(JSON.stringify({ error: String(error) }))
    }
  }

// #region run
await runOnAllCores(Bank, {
  store: sqlite(path),
  async run(bank, { number, stopping }) {
    const server = createServer(answer(bank)).listen(Number(port))
    console.log(`process ${number} serves`)
    await stopping
    server.close()
  },
})
// #endregion
console.log('all have stopped')
