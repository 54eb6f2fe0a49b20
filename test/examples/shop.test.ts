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
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'
import { leftOut, sized } from '../support/size.ts'

const title = 'customers get true answers from two processes, of which one is killed now and then'

async function playOn(store: string): Promise<void> {
  const sessions = sized(12, 3)
  assert.ok((await playSessions({ store, sessions, atOnce: 8, killEvery: sized(5, 2) })) > 0)
}

test(`${title}, on SQLite`, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'shop-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  await playOn(join(directory, 'shop.db'))
})

await onServer('The shop on PostgreSQL', findPostgres, ({ url }) => {
  test(title, { skip: leftOut }, () => playOn(url))
})
