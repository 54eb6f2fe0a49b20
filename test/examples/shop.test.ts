/**
 * Customers go through the shop as it runs for everybody: two processes on one store behind a round robin. One of them
 * is killed now and then. `npm run shop -- --sessions 1000` does it a thousand times.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { playSessions } from '../../examples/shop/around/sessions.ts'
import { routes } from '../../examples/shop/routes.ts'
import { shopWith } from '../../examples/shop/shop.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'
import { leftOut, sized } from '../support/size.ts'

const title = 'customers get true answers from two processes, of which one is killed now and then'

async function playOn(store: string): Promise<void> {
  const sessions = sized(12, 3)
  assert.ok((await playSessions({ store, sessions, atOnce: 8, killEvery: sized(5, 2) })) > 0)
}

test('the live page of an order goes on behind the last event, and says what it cannot take for one', async () => {
  await using shop = await shopWith(async () => true).start({ projections: 'manual' })
  await shop.order('1').place({ customer: 'ada', address: 'Main Street 1', items: [{ product: 'tea', quantity: 1 }] })
  const app = routes(shop, 'secret')
  const eventsAfter = async (id: string) =>
    app.request('/customers/ada/orders/1/events', { headers: { 'Last-Event-ID': id } })
  for (const id of ['x', '-1', '1.5', '1-1', '9007199254740991', '1e999']) {
    const refused = await eventsAfter(id)
    assert.equal(refused.status, 400, id)
    assert.equal(((await refused.json()) as { code: string }).code, 'REQUEST_MALFORMED')
  }
  for (const id of ['', '0']) {
    const { status, body } = await eventsAfter(id)
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
    assert.match((await reader.read()).value!, /OrderPlaced/)
    assert.equal(status, 200)
    await reader.cancel()
  }
})

test(`${title}, on SQLite`, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'shop-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  await playOn(join(directory, 'shop.db'))
})

await onServer('The shop on PostgreSQL', findPostgres, ({ url }) => {
  test(title, { skip: leftOut }, () => playOn(url))
})
