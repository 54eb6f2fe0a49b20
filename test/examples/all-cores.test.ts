/** The example of `runOnAllCores`, as a user runs it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'

const program = join(import.meta.dirname, '../../examples/cluster/all-cores.ts')

async function freePort(): Promise<number> {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('the bank over HTTP on all cores answers, and stops when it is told', async (context) => {
  const cwd = await mkdtemp(join(tmpdir(), 'mneme-all-cores-'))
  context.after(() => rm(cwd, { recursive: true, force: true, maxRetries: 20 }))
  const port = await freePort()
  const child = spawn(process.execPath, [program, 'bank.db', `${port}`], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  context.after(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  assert.deepEqual(await lines.next(), { done: false, value: 'process 1 serves' })
  const send = async (name: string, data: object) => {
    const body = JSON.stringify({ aggregate: 'account', id: 'ada', name, data })
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body, headers: { connection: 'close' } })
    return [response.status, (await response.json()) as { balance?: number }] as const
  }
  assert.equal((await send('open', { owner: 'Ada' }))[0], 200)
  assert.equal((await send('deposit', { amount: 5 }))[1].balance, 5)
  assert.deepEqual((await send('withdraw', { amount: 9 }))[0], 409)
  assert.equal((await send('fly', {}))[0], 400)
  child.kill('SIGTERM')
  const said: string[] = []
  for (let line = await lines.next(); !line.done; line = await lines.next()) said.push(line.value)
  assert.equal(said.at(-1), 'all have stopped')
})
