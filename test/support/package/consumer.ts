/**
 * A program of a user, as text: the tests put it into a project of its own, where `mneme` is what was packed, or bundle
 * it for a browser. Whatever it exports without a type must be nameable in a declaration file.
 */

/** Its text. `run` gives what is left of 100 after 30 are withdrawn, three times over. */
export const consumer = `
import { aggregate, domain, event, memory, projection, reject } from 'mneme'
import { z } from 'zod'

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

export const Balances = projection('balances', () => ({ owner: '', balance: 0 }))
  .on(Opened, (row, { owner }) => ({ ...row, owner }))
  .on(Deposited, (row, { amount }) => ({ ...row, balance: row.balance + amount }))
  .on(Withdrawn, (row, { amount }) => ({ ...row, balance: row.balance - amount }))
  .by((event) => event.stream.id)

export const Bank = domain({ aggregates: { account: Account }, projections: { balances: Balances } })
export const start = () => Bank.start({ store: memory() })
export const accountOf = async (id: string) => (await start()).account(id)

/** What there is to withdraw: by the state, by the read model, and by the details of a refusal. */
export async function run() {
  await using bank = await start()
  const account = bank.account('ada')
  await account.open({ owner: 'Ada' })
  await account.deposit({ amount: 100 })
  const { state, position } = await account.withdraw({ amount: 30 })
  const row = await bank.balances.get('ada', { atLeast: position })
  const outcome = await account.try.withdraw({ amount: 500 })
  const left =
    !outcome.accepted && outcome.rejection.code === 'InsufficientFunds' ? outcome.rejection.details.balance : undefined
  return [state.balance, row?.balance, left]
}
`
