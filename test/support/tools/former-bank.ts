/** The bank with transfers as it was when accounts could only be opened: most that is stored now is news to it. */
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction } from '../../../src/index.ts'

const Opened = event('AccountOpened', z.object({ owner: z.string() }))

const Account = aggregate('account', () => ({ owner: '' }))
  .on(Opened, (_, { owner }) => ({ owner }))
  .command('open', z.object({ owner: z.string() }), (_, { owner }) => Opened({ owner }))

const Balances = projection('balances', () => ({ owner: '' }))
  .on(Opened, (_, { owner }) => ({ owner }))
  .by((event) => event.stream.id)

const Greet = reaction('greet', {}).on(Opened, async () => {})

export const FormerBank = domain({
  aggregates: { account: Account },
  projections: { balances: Balances },
  reactions: { greet: Greet },
})
