/** The code of docs/guide/stores.md, run as tests. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Client } from 'pg'
import { commit, domain, foldAll, follow, hasCode, memory, projection, range } from '../../src/index.ts'
import { file } from '../../src/store/file/index.ts'
import { mongodb } from '../../src/store/mongodb/index.ts'
import { nats } from '../../src/store/nats/index.ts'
import { migrationSql, postgres } from '../../src/store/postgres/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { findMongodb } from '../../test/support/servers/mongodb-server.ts'
import { findNats } from '../../test/support/servers/nats-server.ts'
import { findPostgres } from '../../test/support/servers/postgres-server.ts'
import { onServer } from '../../test/support/servers/server.ts'
import { Account, Deposited } from '../bank/account.ts'
import { Bank } from '../bank/bank.ts'

const folder = mkdtempSync(join(tmpdir(), 'mneme-guide-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('events and snapshots may live apart', async () => {
  const path = join(folder, 'events')
  // #region apart
  await using bank = await Bank.start({ events: file(path), snapshots: memory(), snapshotEvery: 10 })
  // #endregion
  const { sequence } = await bank.account('ada').open({ owner: 'Ada' })
  assert.equal(sequence, 1)
})

test('a store can be used without a domain', async () => {
  const path = join(folder, 'log.db')
  // #region port
  const store = await sqlite(path).open({ warn: console.warn, now: Date.now })
  const stream = { aggregate: 'account', id: 'ada' }
  const [result] = await store.append([
    commit({
      stream,
      expected: 'none',
      id: 'c-1',
      recordedAt: Date.now(),
      events: [{ type: 'Opened', data: { owner: 'Ada' } }],
    }),
  ])
  const page = await store.readAll(range(1), { types: ['Opened'], limit: 100 })
  const count = await foldAll(store, 0, (sum) => sum + 1)
  await store.close()
  // #endregion
  assert.deepEqual([result?.status, page.events.length, count], ['stored', 1, 1])
})

test('a store can be followed without a domain', async () => {
  const store = await memory().open({ warn: console.warn, now: Date.now })
  const stream = { aggregate: 'account', id: 'ada' }
  const open = (id: string) =>
    commit({ stream, expected: 'any', id, recordedAt: Date.now(), events: [{ type: 'Opened', data: { id } }] })
  await store.append([open('c-1')])
  const seen: number[] = []
  const controller = new AbortController()
  const { signal } = controller
  const handle = async ({ position }: { readonly position: number }) => {
    seen.push(position)
    if (position === 1) await store.append([open('c-2')])
    else controller.abort()
  }
  const following = (async () => {
    // #region follow
    for await (const event of follow(store, { types: ['Opened'], signal })) {
      await handle(event)
    }
    // #endregion
  })()
  await assert.rejects(following, { name: 'AbortError' })
  await store.close()
  assert.deepEqual(seen, [1, 2])
})

await onServer('The guide on PostgreSQL', findPostgres, ({ url }) => {
  test('a store in a schema', async () => {
    // #region postgres
    await using bank = await Bank.start({ store: postgres(url, { schema: 'bank' }) })
    // #endregion
    await bank.account('ada').open({ owner: 'Ada' })
    const { position } = await bank.account('ada').deposit({ amount: 5 })
    assert.equal((await bank.balances.get('ada', { atLeast: position }))?.balance, 5)
    assert.match(migrationSql({ schema: 'bank' }), /CREATE TABLE "bank"\.events/)
  })
})

// #region own-tables
const Totals = projection('totals')
  .handle([Deposited], async (events, { transaction }) => {
    for (const { stream, data } of events) {
      await transaction.query(
        `INSERT INTO reports.totals AS t VALUES ($1, $2)
         ON CONFLICT (account) DO UPDATE SET amount = t.amount + excluded.amount`,
        [stream.id, data.amount],
      )
    }
  })
  .prepare(async ({ transaction }) => {
    await transaction.query('CREATE SCHEMA IF NOT EXISTS reports')
    await transaction.query('CREATE TABLE IF NOT EXISTS reports.totals (account TEXT PRIMARY KEY, amount BIGINT)')
  })
// #endregion
const Trespasser = projection('trespasser')
  .handle([Deposited], (_, { transaction }) => transaction.query(`UPDATE "shop".projections SET position = 0`))
  .onFailure({ retries: 0 })

await onServer('The guide on tables of your own in PostgreSQL', findPostgres, ({ url }) => {
  test('are written by a handler, which cannot write those of the store', async () => {
    const Shop = domain({ aggregates: { account: Account }, projections: { totals: Totals, trespasser: Trespasser } })
    await using shop = await Shop.start({ store: postgres(url, { schema: 'shop' }), log: { warn: () => {} } })
    await shop.account('ada').open({ owner: 'Ada' })
    await shop.account('ada').deposit({ amount: 5 })
    const { position } = await shop.account('ada').deposit({ amount: 7 })
    await shop.totals.reached({ atLeast: position })
    const client = new Client(url)
    await client.connect()
    const { rows } = await client.query('SELECT account, amount::int FROM reports.totals')
    await client.end()
    assert.deepEqual(rows, [{ account: 'ada', amount: 12 }])
    await assert.rejects(shop.trespasser.reached({ atLeast: position }), (error: Error) => {
      assert.ok(hasCode(error, 'PROJECTION_FAILED') && hasCode(error.cause, 'SQL_FAILED'))
      return true
    })
    assert.equal((await shop.account('ada').state()).balance, 12)
  })
})

await onServer('The guide on MongoDB', findMongodb, ({ url }) => {
  test('a store in a database', async () => {
    // #region mongodb
    await using bank = await Bank.start({ store: mongodb(url, { database: 'bank' }) })
    // #endregion
    await bank.account('ada').open({ owner: 'Ada' })
    const { position } = await bank.account('ada').deposit({ amount: 5 })
    assert.equal((await bank.balances.get('ada', { atLeast: position }))?.balance, 5)
  })
})

await onServer('The guide on NATS', findNats, ({ url }) => {
  test('a store with a prefix', async () => {
    // #region nats
    await using bank = await Bank.start({ store: nats(url, { prefix: 'bank' }) })
    // #endregion
    await bank.account('ada').open({ owner: 'Ada' })
    const { position } = await bank.account('ada').deposit({ amount: 5 })
    assert.equal((await bank.balances.get('ada', { atLeast: position }))?.balance, 5)
  })
})
