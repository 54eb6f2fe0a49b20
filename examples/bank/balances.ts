/** The balance of every account, one row each. */

import { projection } from '../../src/index.ts'
import { Deposited, Opened, Withdrawn } from './account.ts'

export const Balances = projection('balances', () => ({
  owner: '',
  balance: 0,
  lastMovement: undefined as Date | undefined,
}))
  .on(Opened, (row, { owner }) => ({ ...row, owner }))
  .on(Deposited, (row, { amount }, { recordedAt }) => ({
    ...row,
    balance: row.balance + amount,
    lastMovement: recordedAt,
  }))
  .on(Withdrawn, (row, { amount }, { recordedAt }) => ({
    ...row,
    balance: row.balance - amount,
    lastMovement: recordedAt,
  }))
  .by((event) => event.stream.id)
