/**
 * What the store relies on from the server, asked of the server itself: an expectation anywhere in a batch counts, and
 * a refused batch stores nothing. Then what the store makes of it.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { commitTo, eventsOf, openDatabaseOf, openStore, streamOf } from '../../../test/support/servers/nats-place.ts'
import { findNats, findNatsCluster } from '../../../test/support/servers/nats-server.ts'
import { onServer, type TestServer } from '../../../test/support/servers/server.ts'
import { Commit, repeated } from '../commit.ts'
import type { AppendResult, Store } from '../store.ts'
import type { Outgoing } from './database/connection.ts'
import { isWrongLastSequence } from './database/failure.ts'

const statuses = (results: readonly AppendResult[]): readonly string[] => results.map(({ status }) => status)

const append1 = async (store: Store, commit: Commit): Promise<AppendResult> => (await store.append([commit]))[0]!

function tests(server: TestServer, replicas: 1 | 3): void {
  test('an expectation counts wherever it is in a batch, and nothing of a refused batch is stored', async (t) => {
    const { log } = await openDatabaseOf(t, server, { replicas })
    const subject = (n: number) => log.name.replace(/_log$/, `.e.a.${n}`)
    const message = (n: number, expected?: number): Outgoing => ({
      subject: subject(n),
      data: 'x',
      ...(expected !== undefined && { expected }),
    })
    await log.publish([message(1, 0), message(2, 0), message(3, 0)])
    for (const wrong of [1, 2, 3]) {
      const batch = [1, 2, 3].map((n) => message(n, n === wrong ? 77 : n))
      await assert.rejects(log.publish(batch), (error) => isWrongLastSequence(error))
    }
    // An expectation of a message behind others, to a subject that must be new and is not.
    await assert.rejects(log.publish([message(4, 0), message(5), message(2, 0)]), (error) => isWrongLastSequence(error))
    assert.equal((await log.state()).last, 3)
    assert.equal(await log.publish([message(1, 1), message(2, 2), message(4, 0)]), 6)
  })

  test('an id that was made for a commit is not kept, and still found when the commit is repeated', async (t) => {
    const { store } = await openStore(t, server, { replicas })
    const fresh = (id: string) => {
      const { stream, events, size, ...rest } = commitTo('a', { id })
      return new Commit(stream, rest, events, size, true)
    }
    const [one, two] = [fresh('one'), fresh('two')]
    const [first, second] = await store.append([one, two])
    assert.deepEqual(await append1(store, repeated(one)), { ...first, status: 'duplicate' })
    assert.equal((await append1(store, fresh('three'))).status, 'stored')
    assert.deepEqual(await append1(store, repeated(two)), { ...second, status: 'duplicate' })
    assert.deepEqual(statuses(await store.append([fresh('four'), fresh('four')])), ['stored', 'duplicate'])
  })

  test('of many writers that append to the same streams at once, each commit is decided on a true end', async (t) => {
    const { prefix, store: first } = await openStore(t, server, { replicas })
    const stores = [first, (await openStore(t, server, { replicas, prefix })).store]
    const streams = ['a', 'b', 'c']
    let stored = 0
    const write = async (store: Store, writer: number): Promise<void> => {
      for (let n = 0; n < 15; n++) {
        const ends = await store.streamEnds(streams.map(streamOf))
        const batch = streams.map((id, i) => commitTo(id, { id: `${writer}-${n}`, expected: ends[i]!.sequence }))
        const results = await store.append(batch)
        stored += statuses(results).filter((status) => status === 'stored').length
      }
    }
    await Promise.all([0, 1, 2, 3].map((writer) => write(stores[writer % 2]!, writer)))
    let events = 0
    for (const id of streams) {
      const read = await first.readStream(streamOf(id), { from: 1, to: Number.POSITIVE_INFINITY })
      assert.deepEqual(
        read.map(({ sequence }) => sequence),
        read.map((_, i) => i + 1),
      )
      assert.equal(new Set(read.map(({ commitId }) => commitId)).size, read.length)
      events += read.length
    }
    assert.equal(events, stored)
    assert.ok(stored > 0)
  })
}

function testsOfLongStreams(server: TestServer, replicas: 1 | 3): void {
  test('a commit is known by its id for ever, also to a process that has never seen it', async (t) => {
    const { prefix, store } = await openStore(t, server, { replicas })
    const old = commitTo('a', { id: 'old' })
    const first = await append1(store, old)
    for (let n = 0; n < 5; n++) await store.append([commitTo('a', { events: eventsOf(700) })])
    const other = (await openStore(t, server, { replicas, prefix })).store
    const { status, ...receipt } = await append1(other, old)
    assert.equal(status, 'duplicate')
    assert.deepEqual({ status: 'stored', ...receipt }, first)
    assert.equal(await other.head(), 3501)
    const again = await other.append([commitTo('a', { id: 'old', expected: 3501 }), commitTo('a', { expected: 3501 })])
    assert.deepEqual(statuses(again), ['duplicate', 'conflict'])
  })

  test('a batch of more commits than the server takes at once is stored as several', async (t) => {
    const { store } = await openStore(t, server, { replicas })
    const many = Array.from({ length: 30 }, (_, n) => commitTo(`s${n % 7}`, { events: eventsOf(100) }))
    const results = await store.append(many)
    assert.ok(results.every(({ status }) => status === 'stored'))
    assert.equal(await store.head(), 3000)
    const positions = results.map((result) => ('position' in result ? result.position : 0))
    assert.deepEqual(
      positions,
      many.map((_, n) => 100 * (n + 1)),
    )
  })

  test('any part of a long stream is found from its end by a process that knows nothing of it', async (t) => {
    const { prefix, store } = await openStore(t, server, { replicas })
    for (let n = 0; n < 40; n++) await store.append([commitTo('a', { events: eventsOf(1 + (n % 50)) }), commitTo('b')])
    const [{ sequence: last } = { sequence: 0 }] = await store.streamEnds([streamOf('a')])
    const all = await store.readStream(streamOf('a'), { from: 1, to: Number.POSITIVE_INFINITY })
    assert.equal(all.length, last)
    for (const from of [1, 2, 3, 63, 64, 65, 127, 128, 129, 500, last - 1, last]) {
      const stranger = (await openStore(t, server, { replicas, prefix })).store
      const found = await stranger.readStream(streamOf('a'), { from, to: from + 3 })
      assert.deepEqual(found, all.slice(from - 1, from + 2))
      const backward = await stranger.readStream(
        streamOf('a'),
        { from: 0, to: from + 1 },
        { limit: 2, direction: 'backward' },
      )
      assert.deepEqual(backward, all.slice(Math.max(from - 2, 0), from).reverse())
    }
  })

  test('nobody can delete or purge what is in the log', async (t: TestContext) => {
    const { connection, log } = await openDatabaseOf(t, server, { replicas })
    await log.publish([{ subject: log.name.replace(/_log$/, '.e.a.b'), data: 'x' }])
    await assert.rejects(connection.api(`STREAM.MSG.DELETE.${log.name}`, { seq: 1 }))
    await assert.rejects(connection.api(`STREAM.PURGE.${log.name}`))
    assert.equal((await log.state()).last, 1)
  })
}

await onServer('Batches on NATS', findNats, (server) => {
  tests(server, 1)
  testsOfLongStreams(server, 1)
})
await onServer('Batches on a cluster of NATS', findNatsCluster, (cluster) => {
  tests(cluster, 3)
  testsOfLongStreams(cluster, 3)
})
