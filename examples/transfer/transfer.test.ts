/** The steps of a transfer, given, when and then. */
import { test } from 'node:test'
import { reject } from '../../src/index.ts'
import { on, spec } from '../../src/testing/index.ts'
import { Debited, MoveMoney, Refunding, Requested } from './transfer.ts'

// #region spec
const parties = { from: 'ada', to: 'bob', amount: 30 }
const requested = on('t1', Requested(parties))
const withdraw = { aggregate: 'account', id: 'ada', name: 'withdraw', data: { amount: 30 } } as const

test('a transfer takes the money first', async () => {
  await spec(MoveMoney).when(requested).dispatches(withdraw, { aggregate: 'transfer', id: 't1', name: 'debited' })
})

test('a transfer fails if there is too little money', async () => {
  const reason = 'InsufficientFunds'
  await spec(MoveMoney)
    .answers({ account: { withdraw: reject(reason, { balance: 10, requested: 30 }) } })
    .when(requested)
    .dispatches(withdraw, { aggregate: 'transfer', id: 't1', name: 'fail', data: { reason } })
})
// #endregion

test('the money goes back if nobody is there to take it', async () => {
  const reason = 'NotOpen'
  const it = spec(MoveMoney).answers({ account: { deposit: ({ id }) => (id === 'bob' ? reject(reason) : undefined) } })
  await it
    .when(on('t1', Debited(parties)))
    .dispatches(
      { aggregate: 'account', id: 'bob', name: 'deposit', data: { amount: 30 } },
      { aggregate: 'transfer', id: 't1', name: 'refund', data: { reason } },
    )
  await it
    .when(on('t1', Refunding({ ...parties, reason })))
    .dispatches(
      { aggregate: 'account', id: 'ada', name: 'deposit', data: { amount: 30 } },
      { aggregate: 'transfer', id: 't1', name: 'fail', data: { reason } },
    )
})
