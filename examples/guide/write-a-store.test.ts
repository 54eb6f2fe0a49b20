/** The code of docs/guide/write-a-store.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
// #region conformance
import { storeConformance } from '../../src/testing/index.ts'
import { Bank } from '../bank/bank.ts'
import { small } from '../small-store/small.ts'

storeConformance('small', async () => ({ factory: small() }), { transactions: false })
// #endregion

test('a domain runs on the small store', async () => {
  // #region use
  await using bank = await Bank.start({ store: small() })
  await bank.account('ada').open({ owner: 'Ada' })
  const { position } = await bank.account('ada').deposit({ amount: 100 })
  const row = await bank.balances.get('ada', { atLeast: position })
  // #endregion
  assert.equal(row?.balance, 100)
})
