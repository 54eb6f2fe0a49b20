/** The code of docs/guide/aggregates.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, reject } from '../../src/index.ts'

// #region event
const Placed = event('OrderPlaced', z.object({ customer: z.string(), total: z.int().positive() }))
const Shipped = event('OrderShipped', z.object({ at: z.coerce.date() }))
const Cancelled = event('OrderCancelled', z.object({ reason: z.string().default('none given') }))
// #endregion

// #region aggregate
type State =
  | { readonly phase: 'new' }
  | { readonly phase: 'placed'; readonly total: number }
  | { readonly phase: 'shipped'; readonly total: number; readonly at: Date }
  | { readonly phase: 'cancelled' }

const Order = aggregate('order', (): State => ({ phase: 'new' }), { snapshotEvery: 100, stateRevision: 1 })
  .on(Placed, (_, { total }) => ({ phase: 'placed', total }))
  .on(Shipped, (state, { at }) => (state.phase === 'placed' ? { phase: 'shipped', total: state.total, at } : state))
  .on(Cancelled, () => ({ phase: 'cancelled' }))

  .command('place', z.object({ customer: z.string(), total: z.int().positive() }), (state, input) =>
    state.phase === 'new' ? Placed(input) : reject('AlreadyPlaced'),
  )
  .command('ship', z.object({}), (state, _, { now }) => {
    if (state.phase === 'shipped') return // nothing to do: accepted, without an event
    if (state.phase !== 'placed') return reject('NotPlaced', { phase: state.phase })
    return Shipped({ at: now })
  })
  .command('cancel', z.object({ reason: z.string().optional() }), (state, { reason }) =>
    state.phase === 'placed'
      ? Cancelled(reason === undefined ? {} : { reason })
      : reject('NotPlaced', { phase: state.phase }),
  )
// #endregion

test('an order is placed and shipped', async () => {
  await using shop = await domain({ aggregates: { order: Order } }).start()
  const order = shop.order('o-1')
  await order.place({ customer: 'ada', total: 5 })
  const { state, events } = await order.ship()
  assert.equal(state.phase, 'shipped')
  assert.equal(events.length, 1)
  const again = await order.ship()
  assert.deepEqual(again.events, [])
  const refused = await order.try.cancel()
  assert.equal(refused.accepted, false)
})

test('an event gets a new shape, and old ones are upcast to it', async () => {
  // #region revise
  const Priced = event('Priced', z.object({ total: z.number() }))
    .revise(z.object({ total: z.number(), currency: z.string() }), ({ total }) => ({ total, currency: 'EUR' }))
    .revise(z.object({ cents: z.int(), currency: z.string() }), ({ total, currency }) => ({
      cents: Math.round(total * 100),
      currency,
    }))
  // #endregion
  assert.equal(Priced.revisions.length, 3)
})

test('events carry tags, the command and the event each add theirs', async () => {
  // #region tagged
  const Paid = event('Paid', z.object({ invoice: z.string() })).tagged(({ invoice }) => [`invoice:${invoice}`])
  const Customer = aggregate('customer', () => ({ paid: 0 }))
    .on(Paid, ({ paid }) => ({ paid: paid + 1 }))
    .command('pay', z.object({ invoice: z.string() }), (_, { invoice }) => Paid({ invoice }))
  // #endregion
  await using shop = await domain({ aggregates: { customer: Customer } }).start()
  const { events } = await shop.customer('ada').pay({ invoice: '7' }, { tags: ['web'], metadata: { user: 'u-1' } })
  assert.deepEqual(events[0]?.tags, ['web', 'invoice:7'])
  assert.deepEqual(events[0]?.metadata, { user: 'u-1' })
})
