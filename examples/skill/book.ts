/** A book of a library, which is lent and given back. */
import { z } from 'zod'
import { aggregate, event, reject } from '../../src/index.ts'

export const Lent = event('BookLent', z.object({ to: z.string() }))
export const GivenBack = event('BookGivenBack', z.object({ from: z.string() }))

interface State {
  readonly lentTo: string | undefined
}

export const Book = aggregate('book', (): State => ({ lentTo: undefined }))
  .on(Lent, (_, { to }) => ({ lentTo: to }))
  .on(GivenBack, () => ({ lentTo: undefined }))
  .command('lend', z.object({ to: z.string().min(1) }), ({ lentTo }, { to }) => {
    if (lentTo === to) return undefined // nothing to do
    return lentTo === undefined ? Lent({ to }) : reject('AlreadyLent', { to: lentTo })
  })
  .command('giveBack', z.object({}), ({ lentTo }) =>
    lentTo === undefined ? reject('NotLent') : GivenBack({ from: lentTo }),
  )
