/** Deposits before and after the change of the tutorial. */
// #region test
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, memory } from '../../src/index.ts'
import { spec } from '../../src/testing/index.ts'
import { Account, Deposited, DepositedBefore, Opened } from './account.ts'

/** The account as it was, as far as it made deposits. */
const Before = aggregate('account', () => ({}))
  .on(DepositedBefore)
  .command('deposit', z.object({ amount: z.int() }), (_, { amount }) => DepositedBefore({ amount }))

test('a deposit that was stored before the change still counts', async () => {
  const store = memory()
  const before = await domain({ aggregates: { account: Before } }).start({ store })
  await before.account('ada').deposit({ amount: 100 })
  await before.stop()

  const bank = await domain({ aggregates: { account: Account } }).start({ store })
  const state = await bank.account('ada').state()
  assert.equal(state.balance, 100)
  await bank.stop()
})

test('a deposit says where the money came from', () => {
  const account = spec(Account).given(Opened({ owner: 'Ada' }))
  account.when.deposit({ amount: 5, source: 'salary' }).emits(Deposited({ amount: 5, source: 'salary' }))
})
// #endregion
