/** The turn to append, which a writer that cannot keep up takes, and its effect on the others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MongoClient } from 'mongodb'
import { dropDatabase, freshDatabase, opening, simpleCommit } from '../../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { Client } from '../database/client.ts'
import { Database } from '../database/database.ts'
import { mongodb } from '../index.ts'
import { Leases } from '../rows/leases.ts'
import { Turn } from './turn.ts'

function takingTurns(server: TestServer): void {
  test('one writer has the turn, the others see that, and it is free when it is given back', async (context) => {
    const { turnOf } = await place(context, server)
    const [one, other] = [turnOf(), turnOf()]
    assert.equal(await one.take(), true)
    assert.equal(await one.take(), true)
    assert.equal(await other.take(), false)
    await Promise.all([one.look(), other.look()])
    assert.deepEqual([one.isOthers, other.isOthers], [false, true])
    await other.give()
    assert.equal(await other.take(), false)
    await one.give()
    await other.look()
    assert.equal(other.isOthers, false)
    assert.equal(await other.take(), true)
  })

  test('the turn of a dead writer expires', async (context) => {
    const { turnOf } = await place(context, server)
    const other = turnOf()
    assert.equal(await turnOf().take(), true)
    await other.look()
    assert.equal(other.isOthers, true)
    const start = performance.now()
    while (other.isOthers) await other.look()
    assert.ok(performance.now() - start < 5000)
    assert.equal(await other.take(), true)
  })

  test('a busy writer stops for the turn of another writer, and continues after it', async (context) => {
    const { database, turnOf } = await place(context, server)
    const writer = await mongodb(server.url, { database }).open(opening)
    context.after(() => writer.close())
    const other = turnOf()
    const deadline = performance.now() + 30_000
    let longestMs = 0
    let n = 0
    while (longestMs < 300 && performance.now() < deadline) {
      // Kept as long as no writer stops for it, like a writer that is still beaten.
      assert.equal(await other.take(), true)
      const start = performance.now()
      await writer.append([simpleCommit(`c${n++}`)])
      longestMs = performance.now() - start
    }
    assert.ok(longestMs >= 300 && longestMs < 10_000, `the writer let the other go first for ${longestMs} ms`)
    assert.equal(await writer.head(), n)
  })
}

/** A database with a store, and the turns of a number of writers. */
async function place(context: { after(end: () => Promise<void>): void }, server: TestServer) {
  const database = freshDatabase()
  await using store = await openAndClose(server, database)
  const client = await new MongoClient(server.url).connect()
  context.after(async () => {
    await client.close()
    await dropDatabase(server, database)
  })
  const connected = await Database.connect(Client.given(client, 10_000), {
    database,
    prefix: 'mneme_',
    timeoutMs: 10_000,
  })
  return { database, turnOf: () => new Turn(new Leases(connected, store.name)) }
}

async function openAndClose(server: TestServer, database: string) {
  const store = await mongodb(server.url, { database }).open(opening)
  return { name: store.name, [Symbol.asyncDispose]: () => store.close() }
}

await onServer('Taking turns on MongoDB', findMongodb, takingTurns)
await onServer('Taking turns on FerretDB', findFerretdb, takingTurns)
