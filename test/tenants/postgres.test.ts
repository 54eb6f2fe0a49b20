/** Tenants in schemas of one PostgreSQL database share a pool of connections, and one that listens. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pool } from 'pg'
import { tenants } from '../../src/index.ts'
import { postgres } from '../../src/store/postgres/index.ts'
import { recorder, until } from '../support/kernel/rig.ts'
import { dropSchema, withClient } from '../support/servers/postgres-place.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'
import { Pots } from './pots.ts'

/** So long that only a notification wakes anybody in time. */
const never = 3_600_000

await onServer('Tenants in one database', findPostgres, (server) => {
  test('have one connection that listens, and each hears of what other processes append to it', async (context) => {
    const application = `tenants-${process.pid}`
    const pool = new Pool({ connectionString: server.url, max: 4, application_name: application })
    const names = Array.from({ length: 8 }, (_, i) => `t${process.pid}x${i}`)
    context.after(async () => {
      await pool.end()
      for (const name of names) await dropSchema(server, name)
    })
    const start = (schema: string) => ({ store: postgres(pool, { schema }), pollIntervalMs: never })
    await using banks = tenants(Pots, { start, log: recorder() })
    const seen: string[] = []
    const done = new AbortController()
    const following = names.map(async (name) => {
      for await (const { position } of banks.get(name).events({ signal: done.signal })) seen.push(`${name} ${position}`)
    })
    const connections = (which: string) =>
      withClient(server, async (client) => {
        const text = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1 AND query LIKE $2`
        return (await client.query<{ n: number }>(text, [application, which])).rows[0]!.n
      })
    await until('all are open', () => banks.load().open === names.length)
    await until('it listens', async () => (await connections('LISTEN%')) > 0)
    assert.equal(await connections('LISTEN%'), 1)
    assert.ok((await connections('%')) <= 5, 'four connections of the pool, and one that listens')

    // Another process.
    for (const schema of names) {
      await using other = await Pots.start({ store: postgres(server.url, { schema }), projections: 'manual' })
      await other.pot('a').put({ amount: 1 })
    }
    await until('each has heard', () => seen.length >= names.length)
    assert.deepEqual(
      seen.toSorted(),
      names.map((name) => `${name} 1`),
    )
    done.abort()
    await Promise.allSettled(following)
  })
})
