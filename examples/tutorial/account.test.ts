/** The rules of the starter's account after the change of the tutorial. */
import { test } from 'node:test'
import { spec } from '../../src/testing/index.ts'
import { Account, Deposited, Opened, Withdrawn } from './account.ts'

// #region given
const account = spec(Account).given(Opened({ owner: 'Ada' }), Deposited({ amount: 100, source: 'cash' }))
// #endregion

test('money that is there can be withdrawn', () => {
  account.when
    .withdraw({ amount: 30 })
    .emits(Withdrawn({ amount: 30 }))
    .leaves({ isOpen: true, balance: 70 })
})

test('more than the balance is rejected', () => {
  account.when.withdraw({ amount: 150 }).rejects('InsufficientFunds', { balance: 100, requested: 150 })
})

test('an account is opened once', () => {
  account.when.open({ owner: 'Eve' }).rejects('AlreadyOpen')
})

test('an account that is not open takes no money', () => {
  spec(Account).when.deposit({ amount: 1 }).rejects('NotOpen')
})
