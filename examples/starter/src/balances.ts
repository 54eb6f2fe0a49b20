/** A read model: a row for each account, with its owner and its balance. */
import { projection } from '../../../src/index.ts'
import { Deposited, Opened, Withdrawn } from './account.ts'

export const Balances = projection('balances', () => ({ owner: '', balance: 0 }))
  .on(Opened, (row, { owner }) => ({ ...row, owner }))
  .on(Deposited, (row, { amount }) => ({ ...row, balance: row.balance + amount }))
  .on(Withdrawn, (row, { amount }) => ({ ...row, balance: row.balance - amount }))
  .by((event) => event.stream.id)
