/** Leases by the server's clock, after that clock was wrong. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MongoClient } from 'mongodb'
import { dropDatabase, freshDatabase, opening } from '../../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { mongodb } from '../index.ts'

const durationMs = 60_000
const aheadMs = 3_600_000

for (const [name, find] of [
  ['MongoDB', findMongodb],
  ['FerretDB', findFerretdb],
] as const) {
  await onServer(`Leases on ${name}`, find, (server) => {
    test('taken by a clock that was ahead delay nobody after the clock is corrected', async (context) => {
      const database = freshDatabase()
      context.after(() => dropDatabase(server, database))
      const store = await mongodb(server.url, { database }).open(opening)
      context.after(() => store.close())
      const owners = async (...all: readonly string[]) => {
        const found: string[] = []
        for (const owner of all) found.push((await store.acquireLease('l', owner, durationMs)).owner)
        return found
      }
      assert.deepEqual(await owners('a', 'b'), ['a', 'a'])
      await using client = await new MongoClient(server.url).connect()
      const leases = client.db(database).collection('mneme_leases')
      const by = { expiresAt: aheadMs, takenAt: aheadMs }
      assert.equal((await leases.updateOne({ _id: 'l' as never }, { $inc: by })).modifiedCount, 1)
      assert.deepEqual(await owners('b', 'a'), ['b', 'b'])
    })
  })
}
