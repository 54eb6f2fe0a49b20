/**
 * A projection's runner is killed in the middle of its work, again and again: another process takes over within the lease's
 * time, loses nothing and doubles nothing.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Bank } from '../../examples/bank/bank.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { ChildProgram } from './child-program.ts'

const leaseMs = 300
const rounds = 5
const timeoutMs = 60_000
const program = new URL('./projection-runner.ts', import.meta.url)

/** A process that leads and has handled something since. */
async function leader(context: TestContext, path: string): Promise<ChildProgram> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let handled = 0
  const child = new ChildProgram(
    program,
    (line) => {
      const { state } = JSON.parse(line) as { readonly state: string }
      if (state === 'running' && ++handled === 20) resolve()
    },
    timeoutMs,
  )
  child.ended.catch(reject)
  context.after(() => child.kill())
  child.send({ path, leaseMs })
  await promise
  return child
}

test('another process takes over from a runner that is killed', { timeout: 2 * timeoutMs }, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-takeover-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'bank.db')
  for (let round = 1; round <= rounds; round++) {
    const child = await leader(context, path)
    const bank = await Bank.start({ store: sqlite(path), leaseMs, pollIntervalMs: 20, log: { warn: () => {} } })
    assert.equal((await bank.projections.lookup('balances'))?.state, 'standby')
    child.kill()
    await child.ended
    await bank.account('ada').try.open({ owner: 'Ada' })
    const { position } = await bank.account('ada').deposit({ amount: 1 })
    const row = await bank.balances.get('ada', { atLeast: position, timeoutMs: 30_000 })
    assert.equal(row?.balance, round)
    assert.equal((await bank.projections.lookup('balances'))?.state, 'running')
    const { balance } = await bank.account('child').state()
    assert.equal((await bank.balances.get('child'))?.balance, balance)
    await bank.stop()
  }
})
