/** A bank account: its events, its state, and its commands, which decide what happens. */
import { z } from 'zod'
import { aggregate, event, reject } from '../../../src/index.ts'

const amount = z.int().positive()

export const Opened = event('AccountOpened', z.object({ owner: z.string() }))
export const Deposited = event('MoneyDeposited', z.object({ amount }))
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
  .command('deposit', z.object({ amount }), ({ isOpen }, { amount }) =>
    isOpen ? Deposited({ amount }) : reject('NotOpen'),
  )
  .command('withdraw', z.object({ amount }), ({ isOpen, balance }, { amount }) => {
    if (!isOpen) return reject('NotOpen')
    if (amount > balance) return reject('InsufficientFunds', { balance, requested: amount })
    return Withdrawn({ amount })
  })
