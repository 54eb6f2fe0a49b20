/**
 * What given, when and then take and refuse.
 * Compiled, never run: every @ts-expect-error must be an error, and everything else must not.
 */
import { type } from 'arktype'
import * as v from 'valibot'
import { Account, Deposited, Opened, Withdrawn } from '../../../examples/bank/account.ts'
import { Balances } from '../../../examples/bank/balances.ts'
import { MoveMoney, Requested } from '../../../examples/transfer/transfer.ts'
import { event } from '../../domain/event.ts'
import { article, Drafted, Published } from '../../domain/union.test-d.ts'
import { projection, reject } from '../../index.ts'
import { on } from './history.ts'
import { spec } from './spec.ts'

const Renamed = event('Renamed', v.object({ nick: v.string() }))
const Left = event('Left', type({ reason: "'bored' | 'busy'" }))

function tests() {
  const it = spec(Account).given(Opened({ owner: 'Ada' }))
  it.when.withdraw({ amount: 1 }).rejects('InsufficientFunds', { balance: 0, requested: 1 })
  // @ts-expect-error the details of another rejection
  it.when.withdraw({ amount: 1 }).rejects('NotOpen', { balance: 0, requested: 1 })
  // @ts-expect-error a code that this command cannot be rejected with
  it.when.withdraw({ amount: 1 }).rejects('AlreadyOpen')
  // @ts-expect-error an event of another aggregate
  it.given(Left({ reason: 'busy' }))
  // @ts-expect-error an event of another aggregate
  it.when.deposit({ amount: 1 }).emits(Renamed({ nick: 'x' }))
  // @ts-expect-error not the state
  it.when.deposit({ amount: 1 }).leaves({ status: 'closed', balance: 1 })
}
void tests

spec(article)
  .given(Drafted({ title: 't' }))
  .when.publish({ url: 'u' })
  .emits(Published({ url: 'u' }))
  .leaves({ phase: 'live', title: 't', url: 'u' })
// @ts-expect-error another command's rejection
spec(article).when.draft({ title: 't' }).rejects('NoDraft')
spec(article).when.publish({ url: 'u' }).rejects('NoDraft')

/** Projections and reactions. */
function readSide() {
  const balances = spec(Balances).given(
    on('ada', Opened({ owner: 'Ada' }), Deposited({ amount: 1 })),
    Deposited({ amount: 2 }),
  )
  balances.row('ada', { owner: 'Ada', balance: 1, lastMovement: new Date(0) }).row('bob', undefined)
  // @ts-expect-error not the row
  balances.row('ada', { owner: 'Ada', balance: '1', lastMovement: undefined })
  // @ts-expect-error an event that the projection does not handle
  balances.given(Requested({ from: 'a', to: 'b', amount: 1 }))
  // @ts-expect-error an event that the projection does not handle
  balances.given(on('t', Requested({ from: 'a', to: 'b', amount: 1 })))
  // @ts-expect-error it has rows, and no state
  balances.state({ owner: 'Ada', balance: 1, lastMovement: undefined })
  const single = spec(
    projection('sum', () => ({ sum: 0 }))
      .on(Deposited, (row) => row)
      .single(),
  )
  single.given(Deposited({ amount: 1 })).state({ sum: 0 })
  // @ts-expect-error it has a state, and no rows
  single.row('a', { sum: 0 })

  const moving = spec(MoveMoney).when(on('t', Requested({ from: 'a', to: 'b', amount: 1 })))
  moving.dispatches({ aggregate: 'account', id: 'a', name: 'withdraw', data: { amount: 1 } })
  // @ts-expect-error no such command
  moving.dispatches({ aggregate: 'account', id: 'a', name: 'withdrew', data: { amount: 1 } })
  // @ts-expect-error not its data
  moving.dispatches({ aggregate: 'account', id: 'a', name: 'withdraw', data: { amount: '1' } })
  // @ts-expect-error the reaction has no state
  moving.leaves({ phase: 'new' })
  // @ts-expect-error an event that the reaction does not handle
  spec(MoveMoney).when(Opened({ owner: 'Ada' }))
  // @ts-expect-error nothing is expected yet, so there is nothing to wait for
  moving.then
  spec(MoveMoney).answers({ account: { withdraw: reject('InsufficientFunds', { balance: 0, requested: 1 }) } })
  spec(MoveMoney).answers({ account: { withdraw: ({ data }) => Withdrawn({ amount: data.amount }) } })
  // @ts-expect-error a rejection of another command
  spec(MoveMoney).answers({ account: { deposit: reject('InsufficientFunds', { balance: 0, requested: 1 }) } })
  // @ts-expect-error no such command
  spec(MoveMoney).answers({ account: { withdrew: new Error('x') } })
}
void readSide
