/** A process of the shop. Several may run on one store. It tells its parent where it listens, and ends with it. */
import { serve } from '@hono/node-server'
import { chosenStore } from '../store-option.ts'
import { routes } from './routes.ts'
import { type Charge, shopWith } from './shop.ts'

const { SHOP_PAYMENTS = '', SHOP_SECRET = 'for this example' } = process.env

const charge: Charge = async ({ id, signal, ...payment }) => {
  const headers = { 'Idempotency-Key': id }
  const answer = await fetch(SHOP_PAYMENTS, { method: 'POST', headers, body: JSON.stringify(payment), signal })
  return ((await answer.json()) as { isPaid: boolean }).isPaid
}

const { factory: store } = chosenStore('shop.db')
const shop = await shopWith(charge).start({ store, leaseMs: 2000 })
const { fetch: app } = routes(shop, SHOP_SECRET)
const server = serve({ fetch: app, hostname: '127.0.0.1', port: 0 }, ({ port }) => process.send?.(port))

process.once('disconnect', async () => {
  server.close()
  if ('closeAllConnections' in server) server.closeAllConnections() // a live page never ends by itself
  await shop.stop()
})
process.once('SIGINT', () => {}) // the parent says when
