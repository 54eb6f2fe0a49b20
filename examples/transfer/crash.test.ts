/**
 * Kills the program that moves money, again and again, and looks whether all of it is still there.
 *
 * Tidy: sleeps because between two questions the processor is left to those who move the money.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { killRounds } from '../../src/testing/index.ts'
import { TransferBank } from './bank.ts'

// #region kill
test('no transfer is lost, and no money, however often the program is killed', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'transfer-'))
  context.after(() => rm(directory, { recursive: true }))
  const path = join(directory, 'bank.db')
  const acknowledged: string[] = []
  await killRounds({
    program: new URL('./crash-program.ts', import.meta.url),
    data: { path },
    rounds: 5,
    onTold: ({ id }) => acknowledged.push(id),
    async check() {
      await using bank = await TransferBank.start({ store: sqlite(path), leaseMs: 500 })
      while ((await bank.reactions.status('moveMoney')).lag.events > 0) await setTimeout(10)
      const transfers = await bank.transfer.states(acknowledged)
      for (const { state } of transfers) assert.match(state.phase, /completed|failed/)
      const accounts = await bank.account.states(['ada', 'bob'])
      const total = accounts.reduce((sum, { state }) => sum + state.balance, 0)
      // Before the first program had come so far, there was less.
      assert.ok(total === 2000 || acknowledged.length === 0, `the total is ${total}`)
    },
  })
})
// #endregion
