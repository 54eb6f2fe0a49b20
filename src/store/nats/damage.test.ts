/** What damage to the data looks like: `STORE_CORRUPT`, never wrong data. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitTo, eventsOf, openDatabaseOf, openStore, streamOf } from '../../../test/support/servers/nats-place.ts'
import { findNats } from '../../../test/support/servers/nats-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import type { Store } from '../store.ts'
import { writeChecked } from './database/checked-text.ts'

const corrupt = { code: 'STORE_CORRUPT' }
const all = { from: 1, to: Number.POSITIVE_INFINITY }
const decoder = new TextDecoder()

await onServer('A damaged store on NATS', findNats, (server) => {
  /** A store with five events in one stream, and what another program may do to its messages. */
  const damaged = async (t: Parameters<typeof openStore>[0]) => {
    const { prefix, store } = await openStore(t, server)
    await store.append([commitTo('a', { events: eventsOf(2) }), commitTo('a', { events: eventsOf(3) })])
    const database = await openDatabaseOf(t, server, { prefix })
    const text = async (position: number) => decoder.decode((await database.log.at(position))!.data)
    const put = (data: string) => database.log.publish([{ subject: database.subjects.stream(streamOf('a')), data }])
    return { store, text, put, database }
  }

  const reads = (store: Store) => [
    () => store.readStream(streamOf('a'), all),
    () => store.readAll(all),
    () => store.streamEnds([streamOf('a')]),
    () => store.append([commitTo('a', { expected: 6 })]),
    () => store.findCommit(streamOf('a'), 'x'),
  ]

  test('an event whose text was changed is noticed', async (t) => {
    const { store, text, put } = await damaged(t)
    await put((await text(5)).replace('"n":2', '"n":3'))
    for (const read of reads(store)) await assert.rejects(read, corrupt)
  })

  test('a message of another program is noticed', async (t) => {
    const { store, put } = await damaged(t)
    await put('{}')
    for (const read of reads(store)) await assert.rejects(read, corrupt)
  })

  test('an event of another form is noticed, even if its checksum is right', async (t) => {
    const { text } = await damaged(t)
    const good = JSON.parse((await text(5)).slice(8))
    const wrong: readonly unknown[] = [
      ...[null, 5, 'text', [], {}, { ...good, stream: ['account'] }, { ...good, stream: 'account' }],
      ...[
        { ...good, sequence: 0 },
        { ...good, sequence: '6' },
        { ...good, sequence: 1.5 },
        { ...good, links: [] },
      ],
      ...[
        { ...good, links: ['a', 'b'] },
        { ...good, commit: 5 },
        { ...good, recordedAt: -1 },
        { ...good, place: [1] },
      ],
      ...[
        { ...good, place: [3, 3] },
        { ...good, command: ['x'] },
        { ...good, type: null },
        { ...good, revision: 0 },
      ],
      ...[
        { ...good, data: undefined },
        { ...good, metadata: [] },
        { ...good, tags: 'x' },
        { ...good, tags: [5] },
      ],
    ]
    const { store, put } = await damaged(t)
    for (const value of wrong) {
      await put(writeChecked(value).data)
      for (const read of reads(store).slice(2)) await assert.rejects(read, corrupt, JSON.stringify(value))
    }
    await put(`${writeChecked('{').data.slice(0, 8)}"{"`.slice(0, -1))
    for (const read of reads(store)) await assert.rejects(read, corrupt)
  })

  test('an event that is there twice is noticed when its stream is read', async (t) => {
    const { store, text, put } = await damaged(t)
    await put(await text(5))
    await assert.rejects(store.readStream(streamOf('a'), all), corrupt)
  })

  test('an event of another stream is noticed', async (t) => {
    const { store, database, text } = await damaged(t)
    await database.log.publish([{ subject: database.subjects.stream(streamOf('b')), data: await text(1) }])
    await assert.rejects(store.readStream(streamOf('b'), all), corrupt)
    await assert.rejects(store.streamEnds([streamOf('b')]), corrupt)
  })

  test('an event that is missing is noticed, wherever a read begins', async (t) => {
    const { store, database } = await damaged(t)
    const { config } = await database.connection.api<{ config: object }>(`STREAM.INFO.${database.log.name}`)
    // What no account may do to the log, a person who runs the servers may: another stream takes its place.
    const without = new Set([3])
    const kept = await Promise.all([1, 2, 3, 4, 5].map((position) => database.log.at(position)))
    await database.connection.api(`STREAM.DELETE.${database.log.name}`)
    await database.connection.api(`STREAM.CREATE.${database.log.name}`, config)
    for (const message of kept) {
      if (without.has(message!.sequence)) continue
      await database.log.publish([{ subject: message!.subject, data: decoder.decode(message!.data) }])
    }
    await assert.rejects(store.readStream(streamOf('a'), all), corrupt)
    await assert.rejects(store.findCommit(streamOf('a'), 'x'), corrupt)
  })

  test('a row and a checkpoint whose text was changed are noticed', async (t) => {
    const { prefix, store } = await openStore(t, server)
    const database = await openDatabaseOf(t, server, { prefix })
    const from = { position: 0, term: 0 }
    await store.saveStep('sums', { from, to: { position: 1, term: 0, note: {} }, rows: [{ key: 'a', value: 5 }] })
    const change = async (subject: string) => {
      const { data } = (await database.state.lastOf([subject])).get(subject)!
      await database.state.publish([{ subject, data: decoder.decode(data).replace(/[15]/, '7') }])
    }
    await change(`${database.subjects.projection('sums')}.c`)
    await assert.rejects(store.loadCheckpoint('sums'), corrupt)
    await assert.rejects(store.loadRows('sums', ['a']), corrupt)
  })

  test('rows, checkpoints, snapshots and leases of another form are noticed', async (t) => {
    const { prefix, store } = await openStore(t, server)
    const { state, subjects } = await openDatabaseOf(t, server, { prefix })
    const stream = streamOf('a')
    const snapshot = { stream, sequence: 1, stateRevision: 1, checksum: 1, fingerprint: 'f', state: 1, takenAt: 1 }
    const damages: readonly (readonly [subject: string, read: () => Promise<unknown>])[] = [
      [`${subjects.projection('sums')}.k.1.a`, () => store.loadRows('sums', ['a'])],
      [`${subjects.projection('sums')}.c`, () => store.loadCheckpoint('sums')],
      [`${subjects.snapshots(stream)}.1`, () => store.loadSnapshot(stream)],
      [subjects.lease('l'), () => store.acquireLease('l', 'b', 1000)],
    ]
    for (const value of [null, 5, 'text', [], {}, { position: -1 }, { owner: 5 }, [1, 2]]) {
      for (const [subject, read] of damages) {
        await store.resetProjection('sums').catch(() => {})
        await state.publish([{ subject, data: writeChecked(value).data }])
        if (subject.includes('.k.')) {
          const content = { position: 1, term: 0, note: {}, build: 1 }
          await state.publish([{ subject: `${subjects.projection('sums')}.c`, data: writeChecked(content).data }])
        }
        await assert.rejects(read, corrupt, `${subject}: ${JSON.stringify(value)}`)
      }
    }
    await store.saveSnapshot({ ...snapshot, sequence: 2 }, { keep: 1 })
    assert.equal((await store.loadSnapshot(stream))?.sequence, 2)
  })
})
