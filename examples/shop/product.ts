/** Products: what is in stock, and what of it is reserved for an order. */
import { z } from 'zod'
import { aggregate, event, reject } from '../../src/index.ts'

const count = z.int().positive()
const ofOrder = z.object({ order: z.string() })
/** `holdMs`: how long a reservation waits for its payment. */
const delivery = z.object({ quantity: count, cents: count, holdMs: count.default(15 * 60 * 1000) })

const Stocked = event('ProductStocked', delivery)
const Reserved = event('ProductReserved', ofOrder.extend({ quantity: count }))
const Released = event('ProductReleased', ofOrder)
const Sold = event('ProductSold', ofOrder)

const none = { cents: 0, holdMs: 0, available: 0, reserved: {} as Readonly<Record<string, number>> }

function without({ reserved, ...state }: typeof none, order: string): typeof none {
  const { [order]: _, ...others } = reserved
  return { ...state, reserved: others }
}

export const Product = aggregate('product', () => none, { snapshotEvery: 200 })
  .on(Stocked, (state, { quantity, ...terms }) => ({ ...state, ...terms, available: state.available + quantity }))
  .on(Reserved, ({ available, reserved, ...state }, { order, quantity }) => ({
    ...state,
    available: available - quantity,
    reserved: { ...reserved, [order]: (reserved[order] ?? 0) + quantity },
  }))
  .on(Released, (state, { order }) => ({
    ...without(state, order),
    available: state.available + (state.reserved[order] ?? 0),
  }))
  .on(Sold, (state, { order }) => without(state, order))

  .command('stock', delivery, (_, delivery) => Stocked(delivery))
  .command('reserve', ofOrder.extend({ quantity: count }), ({ available }, { order, quantity }) =>
    available < quantity ? reject('OutOfStock', { available }) : Reserved({ order, quantity }),
  )
  .command('release', ofOrder, ({ reserved }, { order }) => (order in reserved ? Released({ order }) : undefined))
  .command('sell', ofOrder, ({ reserved }, { order }) => (order in reserved ? Sold({ order }) : undefined))
