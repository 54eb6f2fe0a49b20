/**
 * A client that hangs: the store continues with another one. The fault of the driver is provoked: a connection is gone
 * at the moment at which the driver writes its check of the server there.
 *
 * Tidy: sleeps because what must not happen, another client, has no moment at which it does not happen.
 */
import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
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
import { MnemeError } from '../../../domain/error.ts'
import { repeated } from '../../commit.ts'
import type { Store } from '../../store.ts'
import { mongodb } from '../index.ts'
import { Client } from './client.ts'

const stuckMs = 5000

/** The server with checks that the driver sends often, and as questions with one answer each. */
const checkedOften = (server: TestServer): TestServer => ({
  ...server,
  url: `${server.url}?heartbeatFrequencyMS=500&serverMonitoringMode=poll`,
})

/**
 * Makes the driver's checks of the server hang, from the moment at which an operation has lost its connection until
 * that operation fails. A check that was under way then may still be answered; the next one comes before the end.
 */
async function makeHang(context: TestContext, store: Store): Promise<void> {
  const { write } = Socket.prototype
  const end = () => {
    Socket.prototype.write = write
  }
  context.after(end)
  let [isLost, isHung] = [false, false]
  Socket.prototype.write = function (this: Socket, ...given: Parameters<typeof write>) {
    const bytes = Buffer.from(given[0])
    if (!isLost && bytes.includes('mneme_')) {
      isLost = true
      setImmediate(() => this.destroy(new Error('the connection is lost')))
      return true
    }
    if (!isLost || !bytes.includes('hello')) return write.apply(this, given)
    // As it is with a socket that is gone: nothing will be written, and there will be no `drain`.
    this.destroy()
    isHung = true
    return false
  } as typeof write
  await assert.rejects(store.head(), { code: 'STORE_UNAVAILABLE' })
  end()
  assert.ok(isHung)
}

function ignoreRetryable(error: unknown): void {
  if (!(error instanceof MnemeError) || !error.retryable) throw error
}

/** Tries until there is an answer: on a busy machine, the short time of these stores may be over before it comes. */
async function insist<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      ignoreRetryable(error)
    }
  }
}

/**
 * Opens a store that waits for a short time only. What it needs on the server is made before, in an ordinary time. No
 * other client is open then.
 */
async function openImpatient(
  context: TestContext,
  server: TestServer,
  database = freshDatabase(),
  client: MongoClient | string = server.url,
): Promise<Store> {
  await (await mongodb(server.url, { database }).open(opening)).close()
  const factory = mongodb(client, { database, timeoutMs: 1000 })
  const store = await insist(() => factory.open(opening))
  context.after(async () => {
    await store.close()
    await dropDatabase(server, database)
  })
  return store
}

/** Appends once, however many tries it takes. */
async function append(store: Store, id: string): Promise<void> {
  let offered = simpleCommit(id)
  const [result] = await insist(() => {
    const [each] = [offered]
    offered = repeated(each)
    return store.append([each])
  })
  assert.notEqual(result?.status, 'conflict')
}

function hangingClients(server: TestServer): void {
  test('a store whose client hangs continues with another one, and has each commit once', async (context) => {
    const store = await openImpatient(context, checkedOften(server))
    await append(store, 'first')
    await makeHang(context, store)
    await append(store, 'second')
    assert.equal(await insist(() => store.head()), 2)
    const [ends] = await insist(() => store.streamEnds([{ aggregate: 'account', id: 'ada' }]))
    assert.equal(ends?.sequence, 2)
  })

  test('a store whose client hangs can be closed', async (context) => {
    const store = await openImpatient(context, checkedOften(server))
    await makeHang(context, store)
    const reading = store.head().catch((error: unknown) => error)
    await store.close()
    assert.ok((await reading) instanceof MnemeError)
  })

  test('a client of the caller’s is neither replaced nor closed', async (context) => {
    const client = await openClient(context, checkedOften(server))
    const store = await openImpatient(context, server, freshDatabase(), client)
    await makeHang(context, store)
    const end = performance.now() + stuckMs
    while (performance.now() < end) await assert.rejects(store.head(), { code: 'STORE_UNAVAILABLE' })
    await client.close()
    await client.connect()
    assert.equal(await insist(() => store.head()), 0)
    await store.close()
    assert.ok(await client.db('admin').command({ hello: 1 }))
  })

  test('a client that answers stays, whatever one operation met', async () => {
    const made: MongoClient[] = []
    const make = async () => {
      const client = new MongoClient(server.url)
      made.push(client)
      return client
    }
    const client = await Client.own(make, 30_000)
    await client.current.connect()
    client.doubt()
    client.doubt()
    while (made.length < 2) await setTimeout(1)
    await setTimeout(200)
    assert.equal(client.current, made[0])
    await client.close()
    assert.equal(made.length, 2)
  })

  test('a paused server makes no new client', async (context) => {
    if (server.control === undefined) return context.skip('the server is somebody else’s')
    const client = await Client.own(async () => new MongoClient(server.url), 300)
    const first = await client.current.connect()
    server.control.pause()
    client.doubt()
    await setTimeout(1000)
    assert.equal(client.current, first)
    server.control.resume()
    await first.db('admin').command({ hello: 1 })
    await client.close()
  })
}

/** A single server without change streams wakes nobody. */
function hangingListeners(server: TestServer): void {
  test('a listener is woken after another client has taken over', async (context) => {
    const database = freshDatabase()
    const store = await openImpatient(context, checkedOften(server), database)
    let woken = 0
    context.after(store.onAppend(() => woken++))
    await makeHang(context, store)
    await append(store, 'own')
    const other = await openStore(context, server, { database })
    const before = woken
    for (let i = 0; woken === before; i++) await append(other, `other ${i}`)
  })
}

await onServer('A client that hangs, of MongoDB', findMongodb, (server) => {
  hangingClients(server)
  hangingListeners(server)
})
await onServer('A client that hangs, of FerretDB', findFerretdb, hangingClients)
