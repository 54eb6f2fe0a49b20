/**
 * Failures of servers: each acknowledged commit is stored once, nothing hangs, and the store continues when the failure
 * is over.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { type Document, MongoClient } from 'mongodb'
import { dyingClient, interceptedClient } from '../../../test/support/servers/mongodb-clients.ts'
import { openClient, opening, openStore, simpleCommit } from '../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../test/support/servers/server.ts'
import { MnemeError } from '../../domain/error.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { type Commit, repeated } from '../commit.ts'
import { foldAll } from '../fold.ts'
import { everything } from '../range.ts'
import type { AppendResult, Store } from '../store.ts'
import { mongodb } from './index.ts'

const unavailable = { code: 'STORE_UNAVAILABLE' }

/** Appends until the store returns the results of the commits. */
async function insist(store: Store, commits: readonly Commit[]): Promise<readonly AppendResult[]> {
  for (let each = commits; ; each = commits.map(repeated)) {
    try {
      return await store.append(each)
    } catch (error) {
      if (!(error instanceof MnemeError) || !error.retryable) throw error
      await setImmediate()
    }
  }
}

/** Checks that the log has these commits, each once, in order without gaps, and that its streams have them too. */
async function assertWhole(store: Store, ids: ReadonlySet<string>): Promise<void> {
  const events = await foldAll(store, [] as { id: string; stream: string; sequence: number }[], (all, event) => {
    assert.equal(event.position, all.length + 1)
    return [...all, { id: event.commitId, stream: event.stream.id, sequence: event.sequence }]
  })
  assert.deepEqual(new Set(events.map(({ id }) => id)), ids)
  assert.equal(events.length, ids.size)
  for (const own of Map.groupBy(events, ({ stream }) => stream).values()) {
    const sequences = own.map(({ sequence }) => sequence)
    assert.deepEqual(
      sequences,
      own.map((_, i) => i + 1),
    )
  }
}

const streamOf = (i: number) => ({ aggregate: 'account', id: `a${i % 3}` })

/** Three callers append, each its next commit when the last one is stored, while something happens to the server. */
async function appendThrough(store: Store, rounds: number, happen: (appended: number) => Promise<void>): Promise<void> {
  const ids = new Set<string>()
  let appended = 0
  const caller = async (name: string) => {
    for (let i = 0; i < rounds; i++) {
      const batch = [0, 1].map((n) => simpleCommit(`${name} ${i} ${n}`, { stream: streamOf(i + n) }))
      const results = await insist(store, batch)
      assert.ok(results.every(({ status }) => status !== 'conflict'))
      for (const { id } of batch) ids.add(id)
      await happen(++appended)
    }
  }
  await Promise.all(['x', 'y', 'z'].map(caller))
  await assertWhole(store, ids)
}

/** Tests for any server that can be killed or paused. */
function goesOn(server: TestServer): void {
  test('a server that is killed during appends and started again has each commit once', async (context) => {
    if (server.control === undefined) return context.skip('the server is somebody else’s')
    const { control } = server
    const store = await openStore(context, server, { timeoutMs: 2000 })
    const restarts: Promise<void>[] = []
    await appendThrough(store, 20, async (appended) => {
      if (appended % 20 === 10) restarts.push(control.kill().then(() => control.start()))
    })
    await Promise.all(restarts)
    assert.equal(restarts.length, 3)
  })

  test('calls to a paused server fail in time, and it has each commit once when it continues', async (context) => {
    if (server.control === undefined) return context.skip('the server is somebody else’s')
    const store = await openStore(context, server, { timeoutMs: 500 })
    await store.append([simpleCommit('first')])
    server.control.pause()
    const start = performance.now()
    const calls = {
      append: store.append([simpleCommit('paused')]),
      readAll: store.readAll(everything),
      loadCheckpoint: store.loadCheckpoint('p'),
      saveStep: store.saveStep('p', { from: at(0), to: at(1), rows: [{ key: 'a', value: 1 }] }),
      acquireLease: store.acquireLease('l', 'a', 1000),
    }
    const settled = await Promise.allSettled(Object.values(calls))
    const waitedMs = performance.now() - start
    server.control.resume()
    for (const [i, outcome] of settled.entries()) {
      assert.ok(outcome.status === 'rejected', `${Object.keys(calls)[i]} came back from a paused server`)
      assert.equal(outcome.reason.code, 'STORE_UNAVAILABLE')
    }
    assert.ok(waitedMs < 10_000)
    await insist(store, [simpleCommit('paused'), simpleCommit('last')])
    await assertWhole(store, new Set(['first', 'paused', 'last']))
  })

  test('a read that is aborted while the server is paused ends at once, with the reason', async (context) => {
    if (server.control === undefined) return context.skip('the server is somebody else’s')
    const store = await openStore(context, server)
    const controller = new AbortController()
    const reason = new Error('enough')
    server.control.pause()
    const read = store.readAll(everything, { signal: controller.signal }).catch((error: unknown) => error)
    controller.abort(reason)
    const outcome = await read
    server.control.resume()
    assert.equal(outcome, reason)
    assert.equal(await store.head(), 0)
  })
}

/** Tests with lost answers, for any server. */
function lostAnswersAreFound(server: TestServer): void {
  test('an append whose answer is lost is recognised when it is repeated, partly or completely', async (context) => {
    const { database } = await openStore(context, server)
    const client = await openClient(context, server)
    const batch = [0, 1, 2].map((i) => simpleCommit(`lost ${i}`, { stream: streamOf(i) }))
    // Opening writes nothing more, so the first write is the append.
    const dying = dyingClient(client, 1, 'after')
    const writer = await mongodb(dying.client, { database, migrate: false }).open(opening)
    await assert.rejects(writer.append(batch), unavailable)
    const again = await mongodb(server.url, { database }).open(opening)
    context.after(() => again.close())
    const results = await again.append([...batch.map(repeated), simpleCommit('new', { stream: streamOf(1) })])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['duplicate', 'duplicate', 'duplicate', 'stored'],
    )
    await assertWhole(again, new Set([...batch.map(({ id }) => id), 'new']))
  })

  test('an append that reaches the server after later appends of others does not affect them', async (context) => {
    const { database } = await openStore(context, server)
    const client = await openClient(context, server)
    const late: Document[] = []
    const slow = interceptedClient(client, async (command, send) => {
      if (!('insert' in command) || late.length > 0) return send()
      late.push(command)
      throw new Error('no answer')
    })
    const writer = await mongodb(slow, { database, migrate: false }).open(opening)
    context.after(() => writer.close())
    const batch = [0, 1, 2].map((i) => simpleCommit(`late ${i}`, { stream: streamOf(i) }))
    await assert.rejects(writer.append(batch), unavailable)
    await writer.append([simpleCommit('other', { stream: streamOf(0) })])
    await writer.append(batch.map(repeated))
    const { writeErrors } = await client.db(database).command(late[0]!)
    assert.equal(writeErrors[0].code, 11_000)
    await writer.append([simpleCommit('last', { stream: streamOf(0) })])
    await assertWhole(writer, new Set(['other', 'last', ...batch.map(({ id }) => id)]))
  })
}

await onServer('Trouble with MongoDB', findMongodb, (server) => {
  goesOn(server)
  lostAnswersAreFound(server)

  /** Makes the server fail the next inserts. */
  const failInserts = async (context: TestContext, times: number, how: object) => {
    const client = await openClient(context, server)
    const data = { failCommands: ['insert'], ...how }
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode: { times }, data })
    context.after(async () => {
      await using other = await new MongoClient(server.url).connect()
      await other.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' })
    })
  }

  test('connections that are dropped in the middle of appends lose and double nothing', async (context) => {
    const store = await openStore(context, server)
    await failInserts(context, 3, { closeConnection: true })
    await appendThrough(store, 10, async () => {})
  })

  test('an append whose connection is dropped reports an unknown outcome, and repeating it shows the outcome', async (context) => {
    const store = await openStore(context, server)
    await store.append([simpleCommit('first')])
    await failInserts(context, 1, { closeConnection: true })
    await assert.rejects(store.append([simpleCommit('lost')]), unavailable)
    const [result] = await store.append([repeated(simpleCommit('lost'))])
    assert.ok(result!.status === 'stored' || result!.status === 'duplicate')
    await assertWhole(store, new Set(['first', 'lost']))
  })

  test('a commit that no majority confirms is not acknowledged, although it may be stored', async (context) => {
    const store = await openStore(context, server)
    await failInserts(context, 1, { writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } })
    await assert.rejects(store.append([simpleCommit('unsure')]), unavailable)
    const [result] = await store.append([repeated(simpleCommit('unsure'))])
    assert.ok(result!.status === 'stored' || result!.status === 'duplicate')
    await assertWhole(store, new Set(['unsure']))
  })

  test('a full disk and a missing right are reported with their codes, and nothing is stored', async (context) => {
    const store = await openStore(context, server)
    await failInserts(context, 1, { errorCode: 14_031 })
    await assert.rejects(store.append([simpleCommit('c')]), { code: 'STORE_FULL' })
    await failInserts(context, 1, { errorCode: 13 })
    await assert.rejects(store.append([simpleCommit('c')]), { code: 'STORE_READ_ONLY' })
    const [result] = await store.append([simpleCommit('c')])
    assert.deepEqual(result?.status === 'stored' && [result.sequence, result.position], [1, 1])
  })

  test('repeating an append succeeds after a server has stepped down', async (context) => {
    const store = await openStore(context, server)
    await failInserts(context, 2, { errorCode: 91 })
    await appendThrough(store, 3, async () => {})
  })

  test('an append of another process wakes a listener', async (context) => {
    const writer = await openStore(context, server)
    const reader = await openStore(context, server, { database: writer.database })
    let calls = 0
    context.after(reader.onAppend(() => calls++))
    for (let i = 0; calls === 0; i++) await writer.append([simpleCommit(`c${i}`)])
    assert.equal(await reader.head(), await writer.head())
  })
})

await onServer('Trouble with FerretDB', findFerretdb, (server) => {
  goesOn(server)
  lostAnswersAreFound(server)
})
