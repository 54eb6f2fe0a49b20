/** Settings of a URL or a client for reading and writing do not change what the store promises. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MongoClient } from 'mongodb'
import { dropDatabase, freshDatabase, opening, simpleCommit } from '../../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { everything } from '../../range.ts'
import { mongodb } from '../index.ts'

const weaker = [
  'readPreference=secondary',
  'readPreference=secondary&maxStalenessSeconds=120',
  'readPreference=nearest&readPreferenceTags=dc:east',
  'readConcernLevel=available&w=0&retryWrites=true',
]

function anyUrl(server: TestServer): void {
  for (const query of weaker) {
    test(`a URL with ${query} opens a store that writes to the primary and reads from it`, async (context) => {
      const database = freshDatabase()
      context.after(() => dropDatabase(server, database))
      const store = await mongodb(`${server.url}?${query}`, { database, timeoutMs: 5000 }).open(opening)
      context.after(() => store.close())
      const [stored] = await store.append([simpleCommit('c')])
      assert.equal(stored?.status, 'stored')
      assert.equal((await store.readAll(everything)).events.length, 1)
      assert.equal((await store.streamEnds([simpleCommit('d').stream]))[0]?.sequence, 1)
    })
  }

  test('a connected client that prefers secondaries still reads from the primary', async (context) => {
    const database = freshDatabase()
    context.after(() => dropDatabase(server, database))
    const client = await new MongoClient(`${server.url}?readPreference=secondaryPreferred`, { w: 0 }).connect()
    const asked = new Set<unknown>()
    const watched = new MongoClient(server.url, { readPreference: 'secondaryPreferred', w: 0, monitorCommands: true })
    watched.on('commandStarted', ({ command }) => asked.add(command['$readPreference']?.mode ?? 'primary'))
    context.after(() => Promise.all([client.close(), watched.close()]))
    const writer = await mongodb(client, { database }).open(opening)
    const reader = await mongodb(watched, { database }).open(opening)
    context.after(() => Promise.all([writer.close(), reader.close()]))
    await writer.append([simpleCommit('c')])
    assert.equal(await reader.head(), 1)
    assert.deepEqual(await reader.readAll(everything), await writer.readAll(everything))
    assert.deepEqual([...asked], ['primary'])
  })
}

await onServer('Any URL of MongoDB', findMongodb, anyUrl)
await onServer('Any URL of FerretDB', findFerretdb, anyUrl)
