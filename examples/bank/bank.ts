/** The bank as a domain: one aggregate, one projection. `npm run demo` plays with it, `npm run shell` lets you. */
import { domain } from '../../src/index.ts'
import { Account } from './account.ts'
import { Balances } from './balances.ts'

export const Bank = domain({ aggregates: { account: Account }, projections: { balances: Balances } })
