/** A bank account: the whole aggregate, with its types inferred end to end. */
import { z } from 'zod'
import { aggregate, event, reject } from '../../src/index.ts'

const amount = z.int().positive()

export const Opened = event('AccountOpened', z.object({ owner: z.string() }))
export const Deposited = event('MoneyDeposited', z.object({ amount }))
export const Withdrawn = event('MoneyWithdrawn', z.object({ amount }))

type State = { status: 'none' | 'open'; balance: number }

export const Account = aggregate('account', (): State => ({ status: 'none', balance: 0 }))
  .on(Opened, (account) => ({ ...account, status: 'open' }))
  .on(Deposited, (account, { amount }) => ({ ...account, balance: account.balance + amount }))
  .on(Withdrawn, (account, { amount }) => ({ ...account, balance: account.balance - amount }))

  .command('open', z.object({ owner: z.string() }), ({ status }, { owner }) =>
    status === 'open' ? reject('AlreadyOpen') : Opened({ owner }),
  )
  .command('deposit', z.object({ amount }), ({ status }, { amount }) =>
    status === 'open' ? Deposited({ amount }) : reject('NotOpen'),
  )
  .command('withdraw', z.object({ amount }), ({ status, balance }, { amount }) => {
    if (status !== 'open') return reject('NotOpen')
    if (amount > balance) return reject('InsufficientFunds', { balance, requested: amount })
    return Withdrawn({ amount })
  })
