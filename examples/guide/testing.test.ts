/** The code of docs/guide/testing.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from '../../src/index.ts'
import { faultyStore, manualEnvironment, storeConformance } from '../../src/testing/index.ts'
import { Bank } from '../bank/bank.ts'

// #region conformance
storeConformance('my store', async () => ({ factory: memory() }), { transactions: false })
// #endregion

test('time can be moved, and a store can fail on demand', async () => {
  // #region tools
  const environment = manualEnvironment({ now: '2026-01-01T00:00:00Z' })
  let broken = false
  const store = faultyStore(memory(), ({ method }) => (broken && method === 'append' ? 'before' : undefined))
  await using bank = await Bank.start({ store, environment, passivateAfterMs: 1000 })

  await bank.account('ada').open({ owner: 'Ada' })
  await environment.advance(1000)
  assert.equal(bank.load().liveAggregates, 0)

  broken = true
  const deposit = bank.account('ada').deposit({ amount: 1 }, { commandId: 'c-1' })
  const failed = assert.rejects(deposit, { code: 'OUTCOME_UNKNOWN' })
  await environment.advance(60_000)
  await failed
  broken = false
  await bank.account('ada').deposit({ amount: 1 }, { commandId: 'c-1' })
  // #endregion
  assert.equal((await bank.account('ada').state()).balance, 1)
})
