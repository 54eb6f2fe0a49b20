/** The commands that the store sends: how many a batch takes, and that each of them uses an index. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Document, MongoClient } from 'mongodb'
import { interceptedClient } from '../../../../test/support/servers/mongodb-clients.ts'
import {
  dropDatabase,
  freshDatabase,
  opening,
  openStore,
  simpleCommit,
} from '../../../../test/support/servers/mongodb-place.ts'
import { findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import { everything } from '../../range.ts'
import type { Store } from '../../store.ts'
import { MongodbStore } from '../mongodb-store.ts'
import { settingsOf } from '../options.ts'

interface Watched {
  readonly store: Store
  readonly client: MongoClient
  readonly database: string
  /** Opens the same database again, on the same client. */
  another(client?: MongoClient): Promise<Store>
  /** The commands that a call sends, without those that only end sessions. */
  during(call: () => Promise<unknown>): Promise<readonly Document[]>
}

/**
 * A store on an observed client.
 *
 * @param lookMs how long a look at others is valid: for ever, so that the counts do not depend on time
 */
async function watch(
  context: TestContext,
  server: TestServer,
  lookMs: number = Number.POSITIVE_INFINITY,
): Promise<Watched> {
  const database = freshDatabase()
  // The client's own options for writes and reads must not matter.
  const client = new MongoClient(server.url, { monitorCommands: true, w: 0, retryWrites: true, useBigInt64: true })
  const others: Store[] = []
  const another = async (on: MongoClient = client) => {
    const store = await MongodbStore.open({ ...settingsOf(on, { database }), lookMs }, opening)
    others.push(store)
    return store
  }
  const store = await another()
  context.after(async () => {
    for (const other of others) await other.close()
    await client.close()
    await dropDatabase(server, database)
  })
  const during = async (call: () => Promise<unknown>) => {
    const sent: Document[] = []
    const listener = ({ commandName, command }: { commandName: string; command: Document }) => {
      // The look at the turn is not waited for.
      const isLease = Object.values(command)[0] === 'mneme_leases'
      if (!isLease && !['endSessions', 'hello', 'ping'].includes(commandName)) sent.push(command)
    }
    client.on('commandStarted', listener)
    await call()
    client.off('commandStarted', listener)
    return sent
  }
  return { store, client, database, another, during }
}

const namesOf = (commands: readonly Document[]) => commands.map((command) => Object.keys(command)[0])
const streamOf = (i: number) => ({ aggregate: 'account', id: `a${i}` })

/** The number of commands of appends. */
function appends(server: TestServer): void {
  test('for one insert for each batch, durable on a majority, with nothing before or after it', async (context) => {
    const { store, during } = await watch(context, server)
    await store.append([simpleCommit('first')])
    const fresh = Array.from({ length: 50 }, (_, i) => simpleCommit(`c${i}`, { stream: streamOf(i), expected: 'none' }))
    const more = Array.from({ length: 50 }, (_, i) => simpleCommit(`d${i}`, { stream: streamOf(i), expected: 1 }))
    for (const batch of [fresh, more]) {
      const sent = await during(() => store.append(batch))
      assert.deepEqual(namesOf(sent), ['insert'])
      const { documents, ordered, writeConcern, txnNumber } = sent[0]!
      assert.equal(documents.length, 50)
      assert.equal(ordered, true)
      assert.deepEqual({ ...writeConcern }, { w: 'majority', j: true })
      assert.equal(txnNumber, undefined, 'the driver must not repeat it')
    }
  })

  test('for no more than that if callers append at once', async (context) => {
    const { store, during } = await watch(context, server)
    await store.append([simpleCommit('first')])
    const sent = await during(() =>
      Promise.all(
        Array.from({ length: 200 }, (_, i) => store.append([simpleCommit(`c${i}`, { stream: streamOf(i) })])),
      ),
    )
    assert.deepEqual(namesOf(sent), ['insert'])
  })

  test('for only the insert if the stream was read before, from its beginning or after a snapshot', async (context) => {
    const { store, another, during } = await watch(context, server)
    await store.append([1, 2, 3].map((i) => simpleCommit(`c${i}`)))
    const other = await another()
    await other.append([simpleCommit('elsewhere', { stream: streamOf(0) })])
    await other.readStream({ aggregate: 'account', id: 'ada' }, { from: 4, to: Number.POSITIVE_INFINITY })
    const sent = await during(() => other.append([simpleCommit('c4', { expected: 3 })]))
    assert.deepEqual(namesOf(sent), ['insert'])
  })
}

/** The number of commands of a batch that collides with others. */
function collisions(server: TestServer): void {
  test('for one more query if another writer was first', async (context) => {
    const { store, another, during } = await watch(context, server)
    await store.append([simpleCommit('first')])
    const other = await another()
    await other.append([1, 2, 3].map((i) => simpleCommit(`o${i}`, { stream: streamOf(i) })))
    const sent = await during(() => store.append([simpleCommit('c', { stream: streamOf(4), expected: 'none' })]))
    assert.deepEqual(namesOf(sent), ['insert', 'find', 'insert'])
  })

  test('for one look at refused commits, however often others are first', async (context) => {
    const { client, database, another, during } = await watch(context, server)
    const other = await openStore(context, server, { database })
    let inserts = 0
    const overtaken = interceptedClient(client, async (command, send) => {
      if ('insert' in command && ++inserts === 3) await other.append([simpleCommit('o2', { stream: streamOf(2) })])
      return send()
    })
    const store = await another(overtaken)
    await store.append([simpleCommit('first')])
    await other.append([simpleCommit('o1')])
    const batch = [
      simpleCommit('new', { stream: streamOf(1), expected: 'none' }),
      simpleCommit('late', { expected: 1 }),
    ]
    const sent = await during(async () => {
      const results = await store.append(batch)
      const [stored, refused] = results
      assert.deepEqual(stored?.status === 'stored' && [stored.sequence, stored.position], [1, 4])
      assert.deepEqual(refused, { status: 'conflict', sequence: 2 })
    })
    const [catchUp, look] = ['find', ['find', 'find']]
    assert.deepEqual(namesOf(sent), ['insert', catchUp, ...look, 'insert', catchUp, 'insert'])
  })
}

/** The number of commands for looking at others. */
function looks(server: TestServer): void {
  test('for appends and reservations of others, in one round before an insert, from time to time', async (context) => {
    const { store, during } = await watch(context, server, 0)
    assert.deepEqual(namesOf(await during(() => store.append([simpleCommit('first')]))), ['find', 'find', 'insert'])
  })

  test('for the ends of any number of known streams by one query', async (context) => {
    const { store, another, during } = await watch(context, server)
    const other = await another()
    const streams = Array.from({ length: 200 }, (_, i) => streamOf(i))
    await store.append(streams.slice(0, 100).map((stream) => simpleCommit('c', { stream })))
    for (const stream of streams.slice(100)) await store.readStream(stream, everything)
    await other.append(streams.slice(50, 150).map((stream) => simpleCommit('d', { stream })))
    const sent = await during(async () => {
      const ends = await store.streamEnds(streams)
      assert.deepEqual(
        ends.map(({ sequence }) => sequence),
        streams.map((_, i) => (i < 50 ? 1 : i < 100 ? 2 : i < 150 ? 1 : 0)),
      )
    })
    assert.deepEqual(namesOf(sent), ['find'])
    assert.equal(sent[0]!['readConcern']?.level, 'linearizable')
  })
}

/** The number of commands of looks and reads, and the indexes that they use. */
function reads(server: TestServer): void {
  test('for one round of looks for a batch that is already stored', async (context) => {
    const { store, during } = await watch(context, server)
    const batch = Array.from({ length: 20 }, (_, i) => simpleCommit(`c${i}`, { stream: streamOf(i % 4) }))
    await store.append(batch)
    const sent = await during(() => store.append(batch))
    // The insert that collides, and the end and the ids for each of the four streams.
    assert.deepEqual(namesOf(sent), ['insert', ...Array(8).fill('find')])
  })

  test('for a page of the log by one query, and in two rounds if it is filtered', async (context) => {
    const { store, during } = await watch(context, server)
    await store.append(Array.from({ length: 30 }, (_, i) => simpleCommit(`c${i}`)))
    const read = (from: number, filter: object = {}) =>
      during(() => store.readAll({ from, to: Number.POSITIVE_INFINITY }, filter))
    assert.deepEqual(namesOf(await read(1)), ['find'])
    const { events } = await store.readAll({ from: 1, to: 21 })
    const behind = { position: 20, checksum: events[19]!.checksum }
    assert.deepEqual(namesOf(await read(21, { behind })), ['find'])
    // After the end, the place of the reader is looked up on its own.
    assert.deepEqual(namesOf(await read(31)), ['find', 'find'])
    // The end, then the page and, in the same round, the number of commits.
    assert.deepEqual(namesOf(await read(1, { types: ['Deposited'] })), ['find', 'find', 'count'])
    assert.deepEqual(namesOf(await read(31, { types: ['Deposited'] })), ['find'])
  })

  test('for a row by two queries, and one more for several rows, which have to be of one step', async (context) => {
    const { store, during } = await watch(context, server)
    await store.saveStep('balances', { from: at(0), to: at(5), rows: [{ key: 'a', value: 1 }] })
    assert.deepEqual(namesOf(await during(() => store.loadRows('balances', ['a']))), ['find', 'find'])
    assert.deepEqual(namesOf(await during(() => store.loadRows('balances', ['a', 'b']))), ['find', 'find', 'find'])
  })

  test('for majority reads only, each with an index', async (context) => {
    const { store, client, database, during } = await watch(context, server, 0)
    const events = [1, 2].map((data) => ({ type: 'Deposited', data, tags: ['gift', 'new'] }))
    for (let i = 0; i < 40; i++) await store.append([simpleCommit(`c${i}`, { stream: streamOf(i % 5), events })])
    const sent = await during(() => everyRead(store))
    assert.ok(sent.length > 20)
    for (const command of sent.filter(({ find }) => find !== undefined)) {
      assert.ok(['majority', 'linearizable'].includes(command['readConcern']?.level))
      const { find, filter, sort, limit, skip, hint, projection } = command
      const explained = { find, filter, sort, limit, skip, hint, projection }
      const asked = Object.fromEntries(Object.entries(explained).filter(([, value]) => value !== undefined))
      const { queryPlanner } = await client.db(database).command({ explain: asked, verbosity: 'queryPlanner' })
      const plan = JSON.stringify(queryPlanner.winningPlan)
      const said = textOf(asked)
      assert.match(plan, /IXSCAN|IDHACK|EXPRESS/, said)
      assert.doesNotMatch(plan, /COLLSCAN/, said)
    }
  })
}

await onServer('MongoDB is asked', findMongodb, (server) => {
  appends(server)
  collisions(server)
  looks(server)
  reads(server)
})

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? Number(each) : each))

/** Every kind of read, and the reads within writes. */
async function everyRead(store: Store): Promise<void> {
  await store.head()
  for (const direction of ['forward', 'backward'] as const) {
    await store.readStream(streamOf(1), everything, { direction })
    await store.readStream(streamOf(1), { from: 4, to: 9 }, { direction })
    const filters = [{}, { types: ['Deposited'] }, { types: ['A', 'B'] }, { tags: ['gift'] }, { tags: ['gift', 'new'] }]
    const further = [{ aggregates: ['account'] }, { types: ['A'], aggregates: ['b', 'c'], tags: ['d'] }]
    for (const filter of [...filters, ...further]) await store.readAll({ from: 4, to: 60 }, { ...filter, direction })
  }
  await store.findCommit(streamOf(1), 'c1')
  await store.streamEnds([streamOf(1), streamOf(7)])
  await store.listStreams('account', { limit: 2 })
  await store.listStreams('account', { after: 'a', limit: 2 })
  await store.reserve([streamOf(1)], 'writer', 1)
  await store.append([simpleCommit('c1', { stream: streamOf(1), expected: 3 })])
  const snapshot = { stream: streamOf(1), stateRevision: 1, checksum: 1, fingerprint: '', state: {}, takenAt: 0 }
  for (const sequence of [1, 2, 3]) await store.saveSnapshot({ ...snapshot, sequence }, { keep: 1 })
  await store.loadSnapshot(streamOf(1), { atOrBefore: 2 })
  await store.saveStep('balances', { from: at(0), to: at(5), rows: [{ key: 'a', value: 1 }] })
  await store.loadCheckpoint('balances')
  await store.loadRows('balances', ['a', 'b'])
  await store.loadRowsWithCheckpoint('balances', ['a', 'b'])
  await store.listRows('balances', { after: 'a', prefix: 'b', limit: 10 })
  await store.listRows('balances', { limit: 10 })
  await store.resetProjection('balances')
  await store.acquireLease('lease', 'a', 60_000)
  await store.acquireLease('lease', 'b', 60_000)
}
