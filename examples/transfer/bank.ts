/** The bank with transfers: two aggregates, their balances, and the reaction that moves the money. */
import { domain } from '../../src/index.ts'
import { Account } from '../bank/account.ts'
import { Balances } from '../bank/balances.ts'
import { MoveMoney, Transfer } from './transfer.ts'

export const TransferBank = domain({
  aggregates: { account: Account, transfer: Transfer },
  projections: { balances: Balances },
  reactions: { moveMoney: MoveMoney },
})
