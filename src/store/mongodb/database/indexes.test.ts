/** What opening a store makes and checks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  dropDatabase,
  freshDatabase,
  openClient,
  opening,
  openStore,
  simpleCommit,
} from '../../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { mongodb } from '../index.ts'

/** Tests with existing databases. */
function foundDatabases(server: TestServer): void {
  test('ten stores that open an empty database at once all succeed, and append at the same time', async (context) => {
    const database = freshDatabase()
    const stores = await Promise.all(Array.from({ length: 10 }, () => openStore(context, server, { database })))
    const results = await Promise.all(stores.map((store, i) => store.append([simpleCommit(`c${i}`)])))
    assert.deepEqual(
      results.map(([result]) => result!.sequence).toSorted((a, b) => a - b),
      stores.map((_, i) => i + 1),
    )
  })

  test('a database without a store is refused if nothing may be made, and is not changed', async (context) => {
    const database = freshDatabase()
    const client = await openClient(context, server)
    await assert.rejects(mongodb(server.url, { database, migrate: false }).open(opening), {
      code: 'STORE_NOT_MIGRATED',
    })
    assert.deepEqual(await client.db(database).listCollections().toArray(), [])
  })

  test('a missing index is refused with its key if nothing may be made, and made again otherwise', async (context) => {
    const { database } = await openStore(context, server)
    const client = await openClient(context, server)
    await client.db(database).collection('mneme_commits').dropIndex('by_stream')
    await assert.rejects(mongodb(server.url, { database, migrate: false }).open(opening), {
      code: 'STORE_CORRUPT',
      message: /mneme_commits: missing indexes: {"aggregate":1,"id":1,"from":1} \(unique\)/,
    })
    await openStore(context, server, { database })
    await openStore(context, server, { database, migrate: false })
  })
}

/** Tests with indexes that another program has made. */
function foundIndexes(server: TestServer): void {
  test('an index that is not unique is not accepted', async (context) => {
    const { database } = await openStore(context, server)
    const client = await openClient(context, server)
    const commits = client.db(database).collection('mneme_commits')
    await commits.dropIndex('by_commit')
    await commits.createIndex({ aggregate: 1, id: 1, commitId: 1 })
    await assert.rejects(mongodb(server.url, { database, migrate: false }).open(opening), { code: 'STORE_CORRUPT' })
  })

  test('an index of the right kind under another name is accepted', async (context) => {
    const { database } = await openStore(context, server)
    const client = await openClient(context, server)
    const commits = client.db(database).collection('mneme_commits')
    await commits.dropIndex('by_commit')
    await commits.createIndex({ aggregate: 1, id: 1, commitId: 1 }, { unique: true, name: 'ours' })
    await openStore(context, server, { database })
  })

  test('a newer and an older database are refused, and the older one is not changed', async (context) => {
    const { database } = await openStore(context, server)
    const client = await openClient(context, server)
    const db = client.db(database)
    await db.collection('mneme_commits').dropIndex('by_stream')
    for (const [schema, code] of [
      [3, 'STORE_TOO_NEW'],
      [1, 'STORE_TOO_OLD'],
      ['x', 'STORE_CORRUPT'],
    ] as const) {
      await db.collection<{ _id: string }>('mneme_meta').updateOne({ _id: 'schema' }, { $set: { schema } })
      await assert.rejects(mongodb(server.url, { database }).open(opening), { code })
    }
    assert.equal(
      (await db.collection('mneme_commits').indexes()).some(({ name }) => name === 'by_stream'),
      false,
    )
  })

  test('two prefixes in one database are two stores', async (context) => {
    const database = freshDatabase()
    const one = await openStore(context, server, { database, prefix: 'one_' })
    const other = await openStore(context, server, { database, prefix: 'other_' })
    await one.append([simpleCommit('c')])
    assert.equal(await one.head(), 1)
    assert.equal(await other.head(), 0)
  })

  test('an index of another program that refuses a commit is reported at once', async (context) => {
    const store = await openStore(context, server, { timeoutMs: 3000 })
    const client = await openClient(context, server)
    await client.db(store.database).collection('mneme_commits').createIndex({ recordedAt: 1 }, { unique: true })
    await store.append([simpleCommit('c1')])
    await assert.rejects(store.append([simpleCommit('c2')]), { code: 'STORE_UNAVAILABLE' })
    assert.equal(await store.head(), 1)
  })
}

await onServer('Opening on MongoDB', findMongodb, (server) => {
  foundDatabases(server)
  foundIndexes(server)

  test('a collection with a collation that makes different ids equal is refused', async (context) => {
    const database = freshDatabase()
    const client = await openClient(context, server)
    const collation = { locale: 'en', strength: 1 }
    await client.db(database).createCollection('mneme_commits', { collation })
    context.after(() => dropDatabase(server, database))
    await assert.rejects(mongodb(server.url, { database }).open(opening), { code: 'STORE_CORRUPT' })
  })
})

await onServer('Opening on FerretDB', findFerretdb, (server) => {
  foundDatabases(server)
  foundIndexes(server)
})
