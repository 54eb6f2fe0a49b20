/** Orders: placed, then reserved, then paid; or closed, because something is out of stock or was not paid in time. */
import { z } from 'zod'
import { aggregate, event, type Personal, personal, projection, reject } from '../../src/index.ts'

const item = z.object({ product: z.string(), quantity: z.int().positive() })
const ofCustomer = z.object({ customer: z.string(), address: z.string().min(1) })
const address = { subject: ({ customer }: { customer: string }) => customer, fields: ['address'] } as const
const items = z.array(item).min(1).max(20).readonly()
const placement = personal(ofCustomer.extend({ items }), address)
const move = personal(ofCustomer, address)
/** `holdMs`: how long the order waits for its payment. */
const terms = z.object({ cents: z.int(), holdMs: z.int() })
const reason = z.object({ reason: z.string() })

export const Placed = event('OrderPlaced', placement)
export const AddressChanged = event('OrderAddressChanged', move)
export const Reserved = event('OrderReserved', terms)
export const PaymentBegun = event('OrderPaymentBegun', z.object({ cents: z.int(), card: z.string() }))
export const PaymentDeclined = event('OrderPaymentDeclined', z.object({ holdMs: z.int() }))
export const Paid = event('OrderPaid', z.object({ items }))
export const Closed = event('OrderClosed', reason.extend({ items }))

type Phase = 'none' | 'placed' | 'reserved' | 'paying' | 'paid' | 'closed'
type State = {
  readonly phase: Phase
  readonly customer: string
  readonly address: Personal<string> | undefined
  readonly items: z.infer<typeof items>
  readonly cents: number
  readonly holdMs: number
  readonly reason: string
}

const none: State = { phase: 'none', customer: '', address: undefined, items: [], cents: 0, holdMs: 0, reason: '' }

export const Order = aggregate('order', () => none)
  .on(Placed, (state, { customer, address, items }) => ({ ...state, phase: 'placed', customer, address, items }))
  .on(AddressChanged, (state, { address }) => ({ ...state, address }))
  .on(Reserved, (state, terms) => ({ ...state, ...terms, phase: 'reserved' }))
  .on(PaymentBegun, (state) => ({ ...state, phase: 'paying' }))
  .on(PaymentDeclined, (state) => ({ ...state, phase: 'reserved' }))
  .on(Paid, (state) => ({ ...state, phase: 'paid' }))
  .on(Closed, (state, { reason }) => ({ ...state, phase: 'closed', reason }))

  .command('place', placement, ({ phase }, data) => (phase === 'none' ? Placed(data) : reject('AlreadyPlaced')))
  .command('changeAddress', move, ({ phase, customer }, data) => {
    if (customer !== data.customer) return reject('NotFound')
    return phase === 'placed' || phase === 'reserved' ? AddressChanged(data) : reject('TooLate', { phase })
  })
  .command('pay', z.object({ customer: z.string(), card: z.string() }), (state, { customer, card }) => {
    if (state.customer !== customer) return reject('NotFound')
    return state.phase === 'reserved'
      ? PaymentBegun({ card, cents: state.cents })
      : reject('NotPayable', { phase: state.phase })
  })
  // What the reactions say.
  .command('reserved', terms, ({ phase }, data) => (phase === 'placed' ? Reserved(data) : reject('NotPlaced')))
  .command('close', reason, ({ phase, items }, { reason }) =>
    phase === 'placed' || phase === 'reserved' ? Closed({ reason, items }) : undefined,
  )
  .command('paid', z.object({}), ({ phase, items }) => (phase === 'paying' ? Paid({ items }) : reject('NotPaying')))
  .command('declined', z.object({}), ({ phase, holdMs }) =>
    phase === 'paying' ? PaymentDeclined({ holdMs }) : reject('NotPaying'),
  )

/** The list of orders, with the newest first for each customer. */
export const Orders = projection('orders', () => ({ customer: '', placedAt: new Date(0), phase: 'none' as Phase }))
  .on(Placed, (_, { customer }, { recordedAt }) => ({ customer, placedAt: recordedAt, phase: 'placed' }))
  .on(Reserved, (row) => ({ ...row, phase: 'reserved' }))
  .on(PaymentBegun, (row) => ({ ...row, phase: 'paying' }))
  .on(PaymentDeclined, (row) => ({ ...row, phase: 'reserved' }))
  .on(Paid, (row) => ({ ...row, phase: 'paid' }))
  .on(Closed, (row) => ({ ...row, phase: 'closed' }))
  .indexed('customer', ['placedAt', 'descending'])
