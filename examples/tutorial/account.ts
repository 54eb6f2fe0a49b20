/** The account of the starter after the change of the tutorial: a deposit says where the money came from. */
import { z } from 'zod'
import { aggregate, event, reject } from '../../src/index.ts'

const amount = z.int().positive()

export const Opened = event('AccountOpened', z.object({ owner: z.string() }))
// #region revision
export const DepositedBefore = event('MoneyDeposited', z.object({ amount }))
export const Deposited = DepositedBefore.revise(z.object({ amount, source: z.string() }), ({ amount }) => ({
  amount,
  source: 'unknown',
}))
// #endregion
export const Withdrawn = event('MoneyWithdrawn', z.object({ amount }))

interface State {
  readonly isOpen: boolean
  readonly balance: number
}

export const Account = aggregate('account', (): State => ({ isOpen: false, balance: 0 }))
  .on(Opened, (account) => ({ ...account, isOpen: true }))
  .on(Deposited, (account, { amount }) => ({ ...account, balance: account.balance + amount }))
  .on(Withdrawn, (account, { amount }) => ({ ...account, balance: account.balance - amount }))

  .command('open', z.object({ owner: z.string() }), ({ isOpen }, { owner }) =>
    isOpen ? reject('AlreadyOpen') : Opened({ owner }),
  )
  // #region command
  .command('deposit', z.object({ amount, source: z.string().default('cash') }), ({ isOpen }, { amount, source }) =>
    isOpen ? Deposited({ amount, source }) : reject('NotOpen'),
  )
  // #endregion
  .command('withdraw', z.object({ amount }), ({ isOpen, balance }, { amount }) => {
    if (!isOpen) return reject('NotOpen')
    if (amount > balance) return reject('InsufficientFunds', { balance, requested: amount })
    return Withdrawn({ amount })
  })
