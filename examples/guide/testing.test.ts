/** The code of docs/guide/testing.md, run as tests. */
import { test } from 'node:test'
import { memory } from '../../src/index.ts'
import { spec, storeConformance } from '../../src/testing/index.ts'
import { Account, Deposited, Opened, Withdrawn } from '../bank/account.ts'

// #region spec
const open = spec(Account).given(Opened({ owner: 'Ada' }))

test('a deposit raises the balance', () => {
  open.when
    .deposit({ amount: 100 })
    .emits(Deposited({ amount: 100 }))
    .leaves({ status: 'open', balance: 100 })
})

test('a withdrawal within the balance is paid out', () => {
  open
    .given(Deposited({ amount: 100 }))
    .when.withdraw({ amount: 30 })
    .emits(Withdrawn({ amount: 30 }))
})

test('a withdrawal over the balance is rejected', () => {
  open
    .given(Deposited({ amount: 100 }))
    .when.withdraw({ amount: 150 })
    .rejects('InsufficientFunds', { balance: 100, requested: 150 })
})
// #endregion

// #region conformance
storeConformance('my store', async () => ({ factory: memory() }))
// #endregion
