/** Streams that have reached a limit: nothing is stored, that is certain, and it goes on when there is room again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitTo, eventsOf, openDatabaseOf, openStore, streamOf } from '../../../test/support/servers/nats-place.ts'
import { findNats } from '../../../test/support/servers/nats-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { at } from '../../testing/checkpoint-at.ts'

interface Info {
  readonly config: object
  readonly state: { readonly bytes: number }
}

const full = { code: 'STORE_FULL' }

await onServer('A full store on NATS', findNats, (server) => {
  /** A store with something in it, and a function that sets how many more bytes one of its streams takes. */
  const limited = async (t: Parameters<typeof openStore>[0]) => {
    const { prefix, store } = await openStore(t, server)
    await store.append([commitTo('a')])
    await store.saveStep('rows', { from: at(0), to: at(1), rows: [{ key: 'a', value: 1 }] })
    const database = await openDatabaseOf(t, server, { prefix })
    const update = async (which: 'log' | 'state', change: (info: Info) => object) => {
      const name = `${prefix}_${which}`
      const info = await database.connection.api<Info>(`STREAM.INFO.${name}`)
      await database.connection.api(`STREAM.UPDATE.${name}`, { ...info.config, ...change(info) })
    }
    const leaveRoom = (which: 'log' | 'state', bytes: number) =>
      update(which, ({ state }) => ({ max_bytes: bytes === Number.POSITIVE_INFINITY ? -1 : state.bytes + bytes }))
    const allow = (messageBytes: number) => update('log', () => ({ max_msg_size: messageBytes }))
    return { store, database, leaveRoom, allow }
  }

  test('refuses commits that have no room, and stores them when there is some', async (t) => {
    const { store, leaveRoom } = await limited(t)
    await leaveRoom('log', 600)
    const large = commitTo('a', { events: eventsOf(50) })
    await assert.rejects(store.append([large]), full)
    await assert.rejects(store.append([commitTo('b'), large]), full)
    assert.equal(await store.head(), 1)
    assert.equal((await store.append([commitTo('b')]))[0]!.status, 'stored')
    await leaveRoom('log', Number.POSITIVE_INFINITY)
    assert.equal((await store.append([large]))[0]!.status, 'stored')
    assert.equal((await store.readStream(streamOf('a'), { from: 1, to: 100 })).length, 51)
  })

  test('refuses steps that have no room, and leaves nothing of a large one', async (t) => {
    const { store, database, leaveRoom } = await limited(t)
    const rowsOf = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: 'x'.repeat(100) }))
    const used = async () => (await database.state.state()).subjects
    const before = await used()
    await leaveRoom('state', 300_000)
    for (const count of [2500, 2500]) {
      await assert.rejects(store.saveStep('rows', { from: at(1), to: at(2), rows: rowsOf(count) }), full)
      assert.deepEqual(await used(), before)
    }
    assert.deepEqual(await store.loadRowsWithCheckpoint('rows', ['a', 'k1']), {
      checkpoint: at(1),
      values: [1, undefined],
    })
    await leaveRoom('state', Number.POSITIVE_INFINITY)
    await store.saveStep('rows', { from: at(1), to: at(2), rows: rowsOf(2500) })
    assert.equal((await store.listRows('rows', { limit: 10_000 })).rows.length, 2501)
  })

  test('says at once what the server has against one event of several', async (t) => {
    const { store, allow } = await limited(t)
    await allow(2000)
    const events = [{ type: 'Deposited', data: 'x'.repeat(3000) }, ...eventsOf(1)]
    await assert.rejects(store.append([commitTo('a', { events })]), /message size exceeds maximum allowed/)
    assert.equal((await store.append([commitTo('a', { events: eventsOf(2) })]))[0]!.status, 'stored')
  })
})
