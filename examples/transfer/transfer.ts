/**
 * A money transfer between two accounts: the transfer remembers how far it is, a reaction moves it on. If the other
 * account cannot take the money, it goes back where it came from.
 */
import { z } from 'zod'
import { aggregate, event, reaction, reject } from '../../src/index.ts'
import { Account } from '../bank/account.ts'

const parties = z.object({ from: z.string(), to: z.string(), amount: z.int().positive() })

export const Requested = event('TransferRequested', parties)
export const Debited = event('TransferDebited', parties)
export const Completed = event('TransferCompleted', z.object({}))
export const Refunding = event('TransferRefunding', parties.extend({ reason: z.string() }))
export const Failed = event('TransferFailed', z.object({ reason: z.string() }))

type Parties = z.infer<typeof parties>
type State =
  | { readonly phase: 'new' }
  | { readonly phase: 'requested' | 'debited' | 'refunding'; readonly parties: Parties; readonly reason: string }
  | { readonly phase: 'completed' | 'failed' }

export const Transfer = aggregate('transfer', (): State => ({ phase: 'new' }))
  .on(Requested, (_, parties) => ({ phase: 'requested', parties, reason: '' }))
  .on(Debited, (_, parties) => ({ phase: 'debited', parties, reason: '' }))
  .on(Completed, () => ({ phase: 'completed' }))
  .on(Refunding, (_, { reason, ...parties }) => ({ phase: 'refunding', parties, reason }))
  .on(Failed, () => ({ phase: 'failed' }))

  .command('request', parties, (state, parties) => (state.phase === 'new' ? Requested(parties) : reject('Exists')))
  .command('debited', z.object({}), (state) =>
    state.phase === 'requested' ? Debited(state.parties) : reject('NotRequested'),
  )
  .command('credited', z.object({}), (state) => (state.phase === 'debited' ? Completed() : reject('NotDebited')))
  .command('refund', z.object({ reason: z.string() }), (state, { reason }) =>
    state.phase === 'debited' ? Refunding({ ...state.parties, reason }) : reject('NotDebited'),
  )
  .command('fail', z.object({ reason: z.string() }), (state, { reason }) =>
    state.phase === 'requested' || state.phase === 'refunding' ? Failed({ reason }) : reject('NotOpen'),
  )

// #region process
/** Each step is sent exactly once, however often a crash makes the reaction handle an event again. */
export const MoveMoney = reaction('move money', { account: Account, transfer: Transfer })
  .on(Requested, async ({ stream: { id }, data: { from, amount } }, { dispatch }) => {
    const withdrawn = await dispatch({ aggregate: 'account', id: from, name: 'withdraw', data: { amount } })
    if (withdrawn.accepted) await dispatch({ aggregate: 'transfer', id, name: 'debited' })
    else await dispatch({ aggregate: 'transfer', id, name: 'fail', data: { reason: withdrawn.rejection.code } })
  })
  .on(Debited, async ({ stream: { id }, data: { to, amount } }, { dispatch }) => {
    const deposited = await dispatch({ aggregate: 'account', id: to, name: 'deposit', data: { amount } })
    if (deposited.accepted) await dispatch({ aggregate: 'transfer', id, name: 'credited' })
    else await dispatch({ aggregate: 'transfer', id, name: 'refund', data: { reason: deposited.rejection.code } })
  })
  .on(Refunding, async ({ stream: { id }, data: { from, amount, reason } }, { dispatch }) => {
    await dispatch({ aggregate: 'account', id: from, name: 'deposit', data: { amount } })
    await dispatch({ aggregate: 'transfer', id, name: 'fail', data: { reason } })
  })
// #endregion
