/** Leases by the server's clock, after that clock was wrong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dropSchema, freshSchema, openStore, withClient } from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { quoted } from '../database/tables.ts'

const durationMs = 60_000

await onServer('Leases', findPostgres, (server) => {
  test('taken by a clock that was ahead delay nobody after the clock is corrected', async (context) => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    const store = await openStore(context, server, { schema, listen: false })
    const owners = async (...all: readonly string[]) => {
      const found: string[] = []
      for (const owner of all) found.push((await store.acquireLease('l', owner, durationMs)).owner)
      return found
    }
    assert.deepEqual(await owners('a', 'b'), ['a', 'a'])
    await withClient(server, (client) =>
      client.query(`SET session_replication_role = replica;
        UPDATE ${quoted(schema)}.leases SET expires_at = expires_at + 3600000`),
    )
    assert.deepEqual(await owners('b', 'a'), ['b', 'b'])
  })
})
