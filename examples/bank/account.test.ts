/** The account's rules, given, when and then. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spec } from '../../src/testing/index.ts'
import { Account, Deposited, Opened, Withdrawn } from './account.ts'

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

test('an account that is not open takes no money', () => {
  spec(Account).when.deposit({ amount: 1 }).rejects('NotOpen')
})

test('an account is opened once', () => {
  spec(Account)
    .when.open({ owner: 'Ada' })
    .emits(Opened({ owner: 'Ada' }))
    .leaves({ status: 'open', balance: 0 })
  open.when.open({ owner: 'Eve' }).rejects('AlreadyOpen')
})

test('a withdrawal of the whole balance leaves nothing', () => {
  open
    .given(Deposited({ amount: 100 }))
    .when.withdraw({ amount: 100 })
    .emits(Withdrawn({ amount: 100 }))
    .leaves({ status: 'open', balance: 0 })
})

for (const amount of [0, -10, 0.5]) {
  test(`a deposit and a withdrawal of ${amount} are refused by their schemas`, () => {
    assert.throws(() => open.when.deposit({ amount }), { code: 'COMMAND_INVALID' })
    assert.throws(() => open.when.withdraw({ amount }), { code: 'COMMAND_INVALID' })
  })
}
