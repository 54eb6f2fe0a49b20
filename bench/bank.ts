/** The bank that commands are measured with: the example's account, and the same without a validator. */
import { Account } from '../examples/bank/account.ts'
import { Balances } from '../examples/bank/balances.ts'
import { aggregate, domain, event, reject, type StandardSchemaV1, type StartOptions } from '../src/index.ts'

/** What the loads need of a running bank, whatever validates its commands. */
export interface Teller {
  open(id: string): Promise<unknown>
  deposit(id: string): Promise<unknown>
  /** A withdrawal that is rejected. */
  overdraw(id: string): Promise<unknown>
  stop(): Promise<void>
}

/** The example's bank, which checks commands and events with zod. */
export const Bank = domain({ aggregates: { account: Account }, projections: { balances: Balances } })

/** Starts the example's bank; its projection stands still. */
export async function zodTeller(options: StartOptions): Promise<Teller> {
  const bank = await domain({ aggregates: { account: Account } }).start(options)
  return {
    open: (id) => bank.account(id).open({ owner: id }),
    deposit: (id) => bank.account(id).deposit({ amount: 1 }),
    overdraw: (id) => bank.account(id).try.withdraw({ amount: 1_000_000 }),
    stop: () => bank.stop(),
  }
}

/** A Standard Schema that lets everything through. */
function anything<Type>(): StandardSchemaV1<Type, Type> {
  return { '~standard': { version: 1, vendor: 'mneme-bench', validate: (value) => ({ value: value as Type }) } }
}

const Opened = event('AccountOpened', anything<{ owner: string }>())
const Deposited = event('MoneyDeposited', anything<{ amount: number }>())

interface State {
  readonly status: 'none' | 'open'
  readonly balance: number
}

const PlainAccount = aggregate('account', (): State => ({ status: 'none', balance: 0 }))
  .on(Opened, (account) => ({ ...account, status: 'open' as const }))
  .on(Deposited, (account, { amount }) => ({ ...account, balance: account.balance + amount }))
  .command('open', anything<{ owner: string }>(), ({ status }, { owner }) =>
    status === 'open' ? reject('AlreadyOpen') : Opened({ owner }),
  )
  .command('deposit', anything<{ amount: number }>(), ({ status }, { amount }) =>
    status === 'open' ? Deposited({ amount }) : reject('NotOpen'),
  )

/** Starts the bank without a validator, which takes deposits only. */
export async function plainTeller(options: StartOptions): Promise<Omit<Teller, 'overdraw'>> {
  const bank = await domain({ aggregates: { account: PlainAccount } }).start(options)
  return {
    open: (id) => bank.account(id).open({ owner: id }),
    deposit: (id) => bank.account(id).deposit({ amount: 1 }),
    stop: () => bank.stop(),
  }
}
