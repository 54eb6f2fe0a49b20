/** What customers seldom meet: a program that dies while they register, and a payment that takes too long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory, Personal } from '../../src/index.ts'
import { manualEnvironment, spec } from '../../src/testing/index.ts'
import { Order, PaymentBegun, Placed, Reserved } from './order.ts'
import { shopWith } from './shop.ts'

const minuteMs = 60_000
const Shop = shopWith(async ({ card }) => card === 'good')
const items = [2, 1].map((quantity) => ({ product: 'tea', quantity }))

test('an address that a dead program has claimed is free after ten minutes, and cannot be taken with that claim', async () => {
  const environment = manualEnvironment()
  await using shop = await Shop.start({ store: memory(), environment, projections: 'manual', leaseMs: 60 * minuteMs })
  await shop.email('hash').claim({ owner: 'c-1' })
  await shop.reactions.runOnce('freeEmails')
  await environment.advance(11 * minuteMs)
  for (let i = 0; i < 2; i++) await shop.reactions.runOnce('freeEmails')
  assert.equal((await shop.email('hash').state()).owner, undefined)
  const late = { customer: 'c-1', name: 'Ada', email: 'ada@example.org', hash: 'hash', claim: 1 }
  await assert.rejects(shop.customer('c-1').register(late), { code: 'TooLate' })
})

test('an order that is not paid in time gives back what it held, and one that is being paid does not', async () => {
  const environment = manualEnvironment()
  await using shop = await Shop.start({ store: memory(), environment, projections: 'manual', leaseMs: 60 * minuteMs })
  await shop.product('tea').stock({ quantity: 6, cents: 500 })
  for (const id of ['late', 'soon']) await shop.order(id).place({ customer: 'c-1', address: 'Main Street 1', items })
  await shop.reactions.runOnce('reservations')
  assert.equal((await shop.product('tea').state()).available, 0)
  await shop.order('soon').pay({ customer: 'c-1', card: 'good' })
  await shop.reactions.runOnce('reservations')
  await environment.advance(16 * minuteMs)
  for (let i = 0; i < 2; i++) await shop.reactions.runOnce('reservations')
  await shop.reactions.runOnce('payments')
  await shop.reactions.runOnce('reservations')
  const orders = await shop.order.states(['late', 'soon'])
  assert.deepEqual(
    orders.map(({ state }) => state.phase),
    ['closed', 'paid'],
  )
  const { available, reserved } = await shop.product('tea').state()
  assert.deepEqual([available, reserved], [3, {}])
})

test('an order is paid once, and only by the customer who placed it', () => {
  const placed = Placed({ customer: 'c-1', address: Personal.of('c-1', 'Main Street 1'), items })
  const begun = PaymentBegun({ cents: 1500, card: 'good' })
  const reserved = spec(Order).given(placed, Reserved({ cents: 1500, holdMs: minuteMs }))
  reserved.when.pay({ customer: 'c-1', card: 'good' }).emits(begun)
  reserved.when.pay({ customer: 'c-2', card: 'good' }).rejects('NotFound')
  reserved.given(begun).when.pay({ customer: 'c-1', card: 'good' }).rejects('NotPayable', { phase: 'paying' })
  reserved.given(begun).when.close({ reason: 'not paid in time' }).emitsNothing()
})
