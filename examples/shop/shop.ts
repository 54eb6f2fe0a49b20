/** The shop as a domain, and the reactions that move an order on: they reserve stock, ask for the money, or give up. */
import { domain, reaction } from '../../src/index.ts'
import { Customer, Emails, FreeEmails } from './customer.ts'
import { Closed, Order, Orders, Paid, PaymentBegun, PaymentDeclined, Placed, Reserved } from './order.ts'
import { Product } from './product.ts'

const aggregates = { email: Emails.aggregate, customer: Customer, product: Product, order: Order }

/** Asks the payment service. The same id means the same payment, however often it is asked. */
export type Charge = (payment: { cents: number; card: string; id: string; signal: AbortSignal }) => Promise<boolean>

const expire = (id: string) =>
  ({ aggregate: 'order', id, name: 'close', data: { reason: 'not paid in time' } }) as const

export function shopWith(charge: Charge) {
  // #region reactions
  const Reservations = reaction('reservations', aggregates, { concurrency: 10 })
    .on(Placed, async ({ stream: { id }, data: { items } }, { dispatch }) => {
      let [cents, holdMs] = [0, Number.POSITIVE_INFINITY]
      for (const { product, quantity } of items) {
        const data = { order: id, quantity }
        const outcome = await dispatch({ aggregate: 'product', id: product, name: 'reserve', data })
        if (!outcome.accepted) {
          const { code } = outcome.rejection
          await dispatch({ aggregate: 'order', id, name: 'close', data: { reason: `${product}: ${code}` } })
          return
        }
        cents += quantity * outcome.state.cents
        holdMs = Math.min(holdMs, outcome.state.holdMs)
      }
      await dispatch({ aggregate: 'order', id, name: 'reserved', data: { cents, holdMs } })
    })
    .on(Reserved, ({ stream: { id }, data }, { schedule }) =>
      schedule(expire(id), { afterMs: data.holdMs }, { key: id }),
    )
    .on(PaymentBegun, ({ stream: { id } }, { cancel }) => cancel(id))
    .on(PaymentDeclined, ({ stream: { id }, data }, { schedule }) =>
      schedule(expire(id), { afterMs: data.holdMs }, { key: id }),
    )
    .on(Paid, async ({ stream: { id: order }, data: { items } }, { dispatch }) => {
      for (const { product: id } of items) await dispatch({ aggregate: 'product', id, name: 'sell', data: { order } })
    })
    .on(Closed, async ({ stream: { id: order }, data: { items } }, { dispatch }) => {
      for (const { product: id } of items)
        await dispatch({ aggregate: 'product', id, name: 'release', data: { order } })
    })
    .onFailure({ giveUp: 'park' })

  // A reaction of its own: a slow payment service holds up no reservation.
  const Payments = reaction('payments', aggregates, { concurrency: 10 })
    .on(PaymentBegun, async ({ stream, data: { cents, card } }, { step, dispatch }) => {
      const isPaid = await step('charge', (tools) => charge({ cents, card, ...tools }), { timeoutMs: 2000, retries: 5 })
      await dispatch({ aggregate: 'order', id: stream.id, name: isPaid ? 'paid' : 'declined' })
    })
    .onFailure({ giveUp: 'park' })
  // #endregion

  return domain({
    aggregates,
    projections: { orders: Orders },
    reactions: { freeEmails: FreeEmails, reservations: Reservations, payments: Payments },
  })
}

export type RunningShop = Awaited<ReturnType<ReturnType<typeof shopWith>['start']>>
