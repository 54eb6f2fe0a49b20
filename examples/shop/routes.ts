/**
 * The shop over HTTP. An `Idempotency-Key` makes a request safe to repeat. `If-Match` refuses a change if somebody else
 * made one before. An answer's `Mneme-Position`, sent back with the next request, lets a customer see the own writes.
 * Who may do what is left out.
 */
import { createHash, createHmac } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { html } from 'hono/html'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import {
  commandOptionsOf,
  followOptionsOf,
  headersOf,
  jsonOf,
  pageOptionsOf,
  responseTo,
  waitOptionsOf,
} from '../../src/http/index.ts'
import type { RunningShop } from './shop.ts'

function failed(error: Error, c: Context): Response {
  const isBad = error instanceof z.ZodError || error instanceof SyntaxError
  return isBad ? c.json({ code: 'BadRequest', detail: error.message }, 400) : responseTo(error)
}

// #region options
/** The options of the command that a request is. */
const optionsOf = (c: Context) => ({ commandId: crypto.randomUUID(), ...commandOptionsOf(c.req.raw) })
/** What a request with this key makes has this id, however often the request arrives. */
const newId = (...parts: readonly string[]) =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24)

type Read = Parameters<typeof headersOf>[0]
/** An answer shows customers their own personal data, and nobody else's. */
const answer = (c: Context, read: Read, body: object = {}, status: ContentfulStatusCode = 200) =>
  c.json(
    jsonOf(body, (subject) => subject === c.req.param('customer')),
    status,
    headersOf(read),
  )
// #endregion

const person = z.object({ name: z.string(), email: z.string().trim().toLowerCase().pipe(z.email()) })

export function routes(shop: RunningShop, secret: string): Hono {
  const app = new Hono().onError(failed).notFound((c) => c.json({ code: 'NotFound' }, 404))
  addCustomers(app, shop, secret)
  addOrders(app, shop)
  return app
}

function addCustomers(app: Hono, shop: RunningShop, secret: string): void {
  app.post('/customers', async (c) => {
    const { name, email } = person.parse(await c.req.json())
    const hash = createHmac('sha256', secret).update(email).digest('base64url')
    const options = optionsOf(c)
    const customer = newId('customer', options.commandId)
    const { claim } = (await shop.email(hash).claim({ owner: customer })).state
    const data = { customer, name, email, hash, claim }
    return answer(c, await shop.customer(customer).register(data, options), { customer }, 201)
  })
  app.get('/customers/:customer', async (c) => {
    const { state, ...read } = await shop.customer(c.req.param('customer')).read()
    if (state.phase !== 'registered') return c.notFound()
    return answer(c, read, { name: state.name, email: state.email })
  })
  app.delete('/customers/:customer', async (c) => {
    await shop.customer(c.req.param('customer')).leave()
    return c.json(await shop.forget(c.req.param('customer')))
  })

  app.post('/products/:product/stock', async (c) =>
    answer(c, await shop.product(c.req.param('product')).stock(await c.req.json(), optionsOf(c))),
  )
  app.get('/products/:product', async (c) => {
    const { state, ...read } = await shop.product(c.req.param('product')).read()
    return answer(c, read, state)
  })
}

function addOrders(app: Hono, shop: RunningShop): void {
  // #region place
  app.post('/customers/:customer/orders', async (c) => {
    const { customer } = c.req.param()
    if ((await shop.customer(customer).state()).phase !== 'registered') return c.notFound()
    const options = optionsOf(c)
    const order = newId(customer, options.commandId)
    const data = { ...(await c.req.json()), customer }
    return answer(c, await shop.order(order).place(data, options), { order }, 201)
  })
  // #endregion
  // #region list
  app.get('/customers/:customer/orders', async (c) => {
    const newest = { where: { customer: c.req.param('customer') }, orderBy: [['placedAt', 'descending']] } as const
    return c.json(await shop.orders.find({ ...newest, ...pageOptionsOf(c.req) }, waitOptionsOf(c.req.raw)))
  })
  // #endregion
  app.get('/customers/:customer/orders/:order', async (c) => {
    const { state, ...read } = await shop.order(c.req.param('order')).read()
    if (state.customer !== c.req.param('customer')) return c.notFound()
    return answer(c, read, state)
  })
  app.put('/customers/:customer/orders/:order/address', async (c) => {
    const { customer, order } = c.req.param()
    const data = { ...(await c.req.json()), customer }
    return answer(c, await shop.order(order).changeAddress(data, optionsOf(c)))
  })
  app.post('/customers/:customer/orders/:order/payment', async (c) => {
    const { customer, order } = c.req.param()
    return answer(c, await shop.order(order).pay({ ...(await c.req.json()), customer }, optionsOf(c)), {}, 202)
  })

  // #region events
  app.get('/customers/:customer/orders/:order/events', async (c) => {
    const order = shop.order(c.req.param('order'))
    if ((await order.state()).customer !== c.req.param('customer')) return c.notFound()
    const following = { ...followOptionsOf(c.req.raw), signal: c.req.raw.signal }
    const send = async (stream: SSEStreamingApi) => {
      for await (const { sequence, type, position } of order.events(following))
        await stream.writeSSE({ id: `${sequence}`, data: JSON.stringify({ type, position }) })
    }
    return streamSSE(c, (stream) => send(stream).catch(() => {})) // the browser is gone, or it asks again
  })
  // #endregion
  app.get('/customers/:customer/orders/:order/live', (c) => c.html(livePage))
}

const livePage = html`<!doctype html><title>Your order</title><h1>Your order</h1><ol></ol>
<script>
  const list = document.querySelector('ol')
  new EventSource('events').onmessage = ({ data }) => (list.innerHTML += '<li>' + JSON.parse(data).type)
</script>`
