/**
 * The store behind PgBouncer in transaction mode, where sessions are shared: the conformance kit, with and without
 * `listen`. Notifications may be lost there, and followers then wake by their polls.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Bank } from '../../../../examples/bank/bank.ts'
import { findPgbouncer } from '../../../../test/support/servers/pgbouncer.ts'
import { dropSchema, freshSchema, place, withClient } from '../../../../test/support/servers/postgres-place.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { storeConformance } from '../../../testing/conformance/index.ts'
import { postgres } from '../index.ts'

const deposits = 100

await onServer('A pooler', findPgbouncer, (pooler) => {
  for (const listen of [false, true]) {
    describe(`with listen: ${listen}`, () => {
      storeConformance('postgres', async () => place(pooler, { listen }), { injectedClock: false })

      test('two banks on one log follow each other', async (context) => {
        const schema = freshSchema()
        context.after(() => dropSchema(pooler, schema))
        const start = () => Bank.start({ store: postgres(pooler.url, { schema, listen }), pollIntervalMs: 50 })
        await using one = await start()
        await using other = await start()
        await one.account('ada').open({ owner: 'Ada' })
        const amounts = Array.from({ length: deposits }, (_, i) => i + 1)
        const outcomes = await Promise.all(
          amounts.map((amount) => (amount % 2 === 0 ? one : other).account('ada').deposit({ amount })),
        )
        const atLeast = Math.max(...outcomes.map(({ position }) => position))
        assert.equal(atLeast, deposits + 1)
        for (const bank of [one, other]) {
          const row = await bank.balances.get('ada', { atLeast, timeoutMs: 30_000 })
          assert.equal(row?.balance, (deposits * (deposits + 1)) / 2)
        }
      })
    })
  }

  test('a session is lent for a transaction only', async () => {
    const sessions = new Set<number>()
    await withClient(pooler, async (client) => {
      for (let i = 0; i < 20; i++) {
        const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
        sessions.add(rows[0]!.pid)
      }
    })
    assert.ok(sessions.size > 1, 'one connection had several sessions')
  })
})
