/** The domain of the replays of reactions: orders that are paid from a purse, or fail. Processes run it on a stage. */
import { z } from 'zod'
import {
  aggregate,
  type Domain,
  domain,
  event,
  type Reaction,
  type Running,
  reaction,
  reject,
} from '../../../src/index.ts'
import { recorder } from '../kernel/rig.ts'
import type { Stage } from './stage.ts'

const none = z.object({})
const ofOrder = z.object({ order: z.string() })

const Deposited = event('Deposited', none)
const Spent = event('Spent', none)
const Withdrawn = event('Withdrawn', ofOrder)
const Purse = aggregate('purse', () => ({ coins: 0 }))
  .on(Deposited, ({ coins }) => ({ coins: coins + 1 }))
  .on(Spent, ({ coins }) => ({ coins: coins - 1 }))
  .on(Withdrawn, ({ coins }) => ({ coins: coins - 1 }))
  .command('deposit', none, () => Deposited({}))
  .command('spend', none, () => Spent({}))
  .command('withdraw', ofOrder, ({ coins }, data) => (coins === 0 ? reject('NoCoin') : Withdrawn(data)))

const Placed = event('Placed', none)
const Paid = event('Paid', none)
const Failed = event('Failed', none)
const Order = aggregate('order', () => ({}))
  .on(Placed)
  .on(Paid)
  .on(Failed)
  .command('place', none, () => Placed({}))
  .command('pay', none, () => Paid({}))
  .command('fail', none, () => Failed({}))

const aggregates = { purse: Purse, order: Order }
type Paying = Reaction<'paying', typeof aggregates, { readonly count: number }>

/** The name under which the reaction's checkpoint and rows are stored. */
export const payingStorage = 'reaction paying'

const Orders: Domain<typeof aggregates, {}, { paying: Paying }> = domain({
  aggregates,
  reactions: {
    paying: reaction('paying', aggregates)
      .state(
        () => ({ count: 0 }),
        () => 'all',
      )
      .on(Placed, async ({ stream: { id } }, { dispatch, state, setState }) => {
        setState({ count: state.count + 1 })
        const { accepted } = await dispatch({ aggregate: 'purse', id: 'one', name: 'withdraw', data: { order: id } })
        await dispatch({ aggregate: 'order', id, name: accepted ? 'pay' : 'fail' })
      }),
  },
})

export type RunningOrders = Running<typeof aggregates, {}, { paying: Paying }>

/** Starts a process on a stage. It never gives up. */
export const startOrders = (stage: Stage, process: string, leaseMs: number): Promise<RunningOrders> =>
  Orders.start({
    store: stage.storeOf(process),
    environment: stage.environment,
    limits: { appendTriesMax: Number.POSITIVE_INFINITY, conflictTriesMax: Number.POSITIVE_INFINITY },
    projections: 'manual',
    leaseMs,
    log: recorder(),
  })

/** What the log says of the orders. */
export async function ledgerOf({ purse, order }: RunningOrders, orders: number) {
  const paidFor: string[] = []
  for await (const { type, data } of purse('one').history()) {
    if (type === 'Withdrawn') paidFor.push((data as { readonly order: string }).order)
  }
  const ways = new Map<string, string[]>([
    ['Paid', []],
    ['Failed', []],
  ])
  for (let nth = 1; nth <= orders; nth++) {
    for await (const { type } of order(`${nth}`).history()) ways.get(type)?.push(`${nth}`)
  }
  const { coins } = await purse('one').state()
  return { coins, withdrawn: paidFor, paid: ways.get('Paid')!, failed: ways.get('Failed')! }
}
