/** A program that runs the vaults in two processes, which share a port. Each says when it serves, and when it ends. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { runOnAllCores } from '../../../src/cluster/index.ts'
import { hasCode } from '../../../src/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { say } from '../../../src/testing/crash/told-program.ts'
import { type Member, Vaults } from './vaults.ts'

export type FromCores =
  | { readonly say: 'serving'; readonly number: number; readonly pid: number; readonly port: number }
  | { readonly say: 'ending'; readonly number: number }
  | { readonly say: 'ended'; readonly code: string; readonly facts: object }

/** What an answer to a request is. */
export interface Served {
  readonly pid: number
  readonly sequence: number
  readonly members: number
}

const tell = (message: FromCores): void => say(message)
const [path = '', processes = '2', mode = ''] = process.argv.slice(2)

async function serve(bank: Member, number: number, stopping: Promise<void>): Promise<void> {
  if (mode === 'failing') throw new RangeError('The disk is on fire')
  const server = createServer((request, response) => {
    void bank
      .vault(request.url!)
      .put({ amount: 1 })
      .then(({ sequence }) => {
        const served: Served = { pid: process.pid, sequence, members: bank.cluster.status().members.length }
        response.setHeader('connection', 'close').end(JSON.stringify(served))
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  tell({ say: 'serving', number, pid: process.pid, port: (server.address() as AddressInfo).port })
  await stopping
  tell({ say: 'ending', number })
  server.close()
}

try {
  await runOnAllCores(Vaults, {
    store: sqlite(path),
    processes: Number(processes),
    restartsMax: 3,
    // Where one hangs, the test does.
    stopTimeoutMs: 600_000,
    log: { warn() {} },
    run: (bank, { number, stopping }) => serve(bank, number, stopping),
  })
} catch (error) {
  if (!hasCode(error, 'PROCESS_NOT_STARTED') && !hasCode(error, 'PROCESSES_FAILING')) throw error
  tell({ say: 'ended', code: error.code, facts: error.facts })
}
