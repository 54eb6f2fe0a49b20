/**
 * What projections as code and reactions with a state infer and refuse.
 * Compiled, never run: every @ts-expect-error must be an error, and everything else must not.
 */
import { z } from 'zod'
import { domain } from '../application/domain.ts'
import { aggregate } from './aggregate.ts'
import { projection } from './code-projection.ts'
import { event, type RecordedEvent } from './event.ts'
import { reaction } from './reaction.ts'
import type { SqlValue } from './sql-statement.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>) => {}

const Paid = event('Paid', z.object({ amount: z.int() }))
const Refunded = event('Refunded', z.object({ reason: z.string() }))
const Closed = event('Closed', z.object({}))
const account = aggregate('account', () => ({ open: true }))
  .on(Paid)
  .on(Refunded)
  .on(Closed)
  .command('pay', z.object({ amount: z.int() }), (_, { amount }) => Paid({ amount }))

// -- a handler's events are the union of its kinds -------------------------------------------------------
const Ledger = projection('ledger')
  .handle([Paid, Refunded], async (events, { transaction, signal }) => {
    for (const event of events) {
      same<typeof event.type, 'Paid' | 'Refunded'>(true)
      if (event.type === 'Paid') same<typeof event.data, { amount: number }>(true)
      else same<typeof event.data, { reason: string }>(true)
      // @ts-expect-error not every kind has an amount
      event.data.amount
      same<typeof event.position, number>(true)
    }
    const rows = await transaction.query('SELECT amount FROM ledger', [1, 'a', null])
    same<(typeof rows)[number], Record<string, SqlValue>>(true)
    const typed = await transaction.query<{ amount: number }>('SELECT amount FROM ledger')
    same<(typeof typed)[number], { amount: number }>(true)
    // @ts-expect-error not a value for SQL
    await transaction.query('SELECT ?', [{}])
    same<typeof signal, AbortSignal>(true)
  })
  .prepare(({ transaction }) => transaction.query('CREATE TABLE IF NOT EXISTS ledger (amount INTEGER)'))
  .by((event) => {
    same<typeof event.type, 'Paid' | 'Refunded'>(true)
    return event.stream.id
  })
  .onFailure({ retries: 3, giveUp: 'park' })

// @ts-expect-error not a way to give up
Ledger.onFailure({ giveUp: 'cry' })
// @ts-expect-error a key is a string
Ledger.by(() => 1)
// @ts-expect-error rows are folded by `.on`, not by code
Ledger.on(Paid, (row) => row)
// @ts-expect-error only rows have a revision
Ledger.revision(2)
// @ts-expect-error a kind of event, not its name
projection('ledger').handle(['Paid'], () => {})
// @ts-expect-error without an initial row there are no rows
projection('ledger').on(Paid, (row) => row)
// @ts-expect-error with an initial row there is no code
projection('rows', () => 0).handle([Paid], () => {})

const Sums = projection('sums', () => ({ sum: 0 }))
  .on(Paid, ({ sum }, { amount }) => ({ sum: sum + amount }))
  .onFailure({ giveUp: 'skip' })
  .revision(2)
// @ts-expect-error a revision is a number
Sums.revision('2')

// -- a reaction's state flows into its tools ----------------------------------------------------------------
const tries = reaction('tries', { account }).state(() => ({ count: 0 }))
const Tries = tries.on(Paid, ({ data }, { state, setState, dispatch }) => {
  same<typeof state, { count: number }>(true)
  setState({ count: state.count + data.amount })
  setState(undefined)
  // @ts-expect-error not the state's shape
  setState({ count: 'one' })
  // @ts-expect-error not the state's shape
  setState({ tries: 1 })
  // @ts-expect-error no such command
  void dispatch({ aggregate: 'account', id: 'a', name: 'steal' })
})
reaction('plain', { account }).on(Paid, (_, { state, setState }) => {
  same<typeof state, undefined>(true)
  // @ts-expect-error it has no state
  setState({ count: 1 })
})
const byPosition = ({ position }: RecordedEvent) => position
// @ts-expect-error the key of a state is a string
reaction('keyed').state(() => 0, byPosition)

// -- a running domain ----------------------------------------------------------------------------------------
const bank = await domain({
  aggregates: { account },
  projections: { ledger: Ledger, sums: Sums },
  reactions: { tries: Tries },
}).start()

async function calls() {
  await bank.ledger.reached({ atLeast: 1 })
  // @ts-expect-error its tables are its own
  await bank.ledger.get('a')
  // @ts-expect-error its tables are its own
  await bank.ledger.find()
  // @ts-expect-error rows are read
  await bank.sums.reached({ atLeast: 1 })
  same<Awaited<ReturnType<typeof bank.sums.get>>, { sum: number } | undefined>(true)

  const result = await bank.projections.rebuild('sums')
  same<typeof result, { readonly position: number; readonly events: number }>(true)
  for await (const { remainingMs } of bank.projections.rebuild('sums', { signal: AbortSignal.abort() })) {
    same<typeof remainingMs, number | undefined>(true)
  }
  const { differences } = await bank.projections.compare('sums', { limit: 1 })
  same<(typeof differences)[number]['key'], string>(true)
  const parked = await bank.projections.parked('ledger')
  same<(typeof parked)[number]['parkedAt'], Date>(true)
  const retried = await bank.reactions.retryParked('tries')
  same<typeof retried, { readonly handled: number; readonly parked: number }>(true)
  await bank.reactions.skipParked('tries', 1)
  // @ts-expect-error a reaction has nothing that could be rebuilt
  bank.reactions.rebuild('tries')
  // @ts-expect-error a reaction has no rows to compare
  bank.reactions.compare('tries')
  // @ts-expect-error no such projection
  bank.projections.rebuild('sum')
  // @ts-expect-error that is a reaction
  bank.projections.parked('tries')
  // @ts-expect-error a position is a number
  bank.projections.skipParked('sums', '1')
}

void calls
