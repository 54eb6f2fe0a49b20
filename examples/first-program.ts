/**
 * The program that README.md begins with: one file, to be copied and run. It also runs on Node 22.18, where `await
 * using` is a syntax error, so it stops the bank itself.
 */
import { z } from 'zod'
import { aggregate, domain, event, projection, reject } from '../src/index.ts'
import { sqlite } from '../src/store/sqlite/index.ts'

const amount = z.int().positive()
const Deposited = event('MoneyDeposited', z.object({ amount }))
const Withdrawn = event('MoneyWithdrawn', z.object({ amount }))

const Account = aggregate('account', () => ({ balance: 0 }))
  .on(Deposited, ({ balance }, { amount }) => ({ balance: balance + amount }))
  .on(Withdrawn, ({ balance }, { amount }) => ({ balance: balance - amount }))
  .command('deposit', z.object({ amount }), (_, { amount }) => Deposited({ amount }))
  .command('withdraw', z.object({ amount }), ({ balance }, { amount }) =>
    amount > balance ? reject('InsufficientFunds', { balance }) : Withdrawn({ amount }),
  )

const Movements = projection('movements', () => ({ count: 0 }))
  .on(Deposited, ({ count }) => ({ count: count + 1 }))
  .on(Withdrawn, ({ count }) => ({ count: count + 1 }))
  .by((event) => event.stream.id)

const Bank = domain({ aggregates: { account: Account }, projections: { movements: Movements } })
const bank = await Bank.start({ store: sqlite('accounts.db') })

const ada = bank.account('ada')
await ada.deposit({ amount: 100 })
const { state, position } = await ada.withdraw({ amount: 30 })
console.log(state.balance) // 70, and 140 the next time

const outcome = await ada.try.withdraw({ amount: 1_000_000 })
if (!outcome.accepted) console.log(outcome.rejection.code) // InsufficientFunds

console.log(await bank.movements.get('ada', { atLeast: position })) // { count: 2 }, and 4 the next time
await bank.stop()
