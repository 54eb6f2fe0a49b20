/** The domain: what belongs together and runs on one store. */
import { domain } from '../../../src/index.ts'
import { Account } from './account.ts'
import { Balances } from './balances.ts'

export const Bank = domain({
  aggregates: { account: Account },
  projections: { balances: Balances },
})
