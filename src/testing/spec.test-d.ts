/**
 * What given, when and then take and refuse.
 * Compiled, never run: every @ts-expect-error must be an error, and everything else must not.
 */
import { type } from 'arktype'
import * as v from 'valibot'
import { Account, Opened } from '../../examples/bank/account.ts'
import { event } from '../domain/event.ts'
import { article, Drafted, Published } from '../domain/union.test-d.ts'
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
