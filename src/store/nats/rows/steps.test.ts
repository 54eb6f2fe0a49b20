/** Large steps are saved completely or not at all, wherever their process ends, and whoever goes on with them. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openDatabaseOf, openStore } from '../../../../test/support/servers/nats-place.ts'
import { findNats } from '../../../../test/support/servers/nats-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import type { Outgoing } from '../database/connection.ts'
import type { Database } from '../database/setup.ts'
import { JetStream } from '../database/stream.ts'
import { Projections } from './projections.ts'

const count = 2500
const at = (position: number, term = 0) => ({ position, term, note: {} })
const keys = Array.from({ length: count }, (_, n) => `key ${String(n).padStart(5, '0')}`)
const rowsOf = (value: number) => keys.map((key) => ({ key, value }))

class Killed extends Error {}

/** A stream whose process ends before or after one of its writes. */
class DyingStream extends JetStream {
  writes = 0
  dies: { readonly at: number; readonly isDone: boolean } | undefined

  override async publish(messages: readonly Outgoing[]): Promise<number> {
    const dies = this.dies !== undefined && ++this.writes >= this.dies.at
    if (dies && !(this.dies!.isDone && this.writes === this.dies!.at)) throw new Killed()
    const sequence = await super.publish(messages)
    if (dies) throw new Killed()
    return sequence
  }
}

async function dying(
  context: TestContext,
  server: TestServer,
): Promise<{ readonly database: Database; readonly state: DyingStream; readonly prefix: string }> {
  const { prefix } = await openStore(context, server)
  const database = await openDatabaseOf(context, server, { prefix })
  const state = new DyingStream(database.connection, database.state.name, database.state)
  return { database: { ...database, state }, state, prefix }
}

await onServer('Steps on NATS', findNats, (server) => {
  test('a large step whose process ends anywhere is saved completely or not at all', async (t) => {
    const { database, state, prefix } = await dying(t, server)
    const { store } = await openStore(t, server, { prefix })
    let outcomes = new Set<string>()
    for (let write = 1; write <= 12; write++) {
      for (const isDone of [false, true]) {
        const name = `p${write}${isDone}`
        await store.saveStep(name, { from: at(0), to: at(1), rows: rowsOf(1) })
        state.writes = 0
        state.dies = { at: write, isDone }
        const step = { from: at(1), to: at(2), rows: rowsOf(2) }
        const saved = await new Projections(database, 'test').saveStep(name, step).then(
          () => 'answered',
          (error: unknown) => {
            if (!(error instanceof Killed)) throw error
            return 'killed'
          },
        )
        const { checkpoint, values } = await store.loadRowsWithCheckpoint(name, keys)
        if (saved === 'answered') assert.equal(checkpoint.position, 2)
        assert.ok(values.every((value) => value === checkpoint.position))
        const listed: unknown[] = []
        for (let after: string | undefined; ; ) {
          const page = await store.listRows(name, { limit: 1000, ...(after !== undefined && { after }) })
          listed.push(...page.rows.map(({ value }) => value))
          if (page.next === undefined) break
          after = page.next
        }
        assert.equal(listed.length, count)
        outcomes = outcomes.add(`${saved} ${checkpoint.position}`)
        // The next step is saved behind it, also by a process that knows of nothing.
        const next = checkpoint.position
        await store.saveStep(name, { from: at(next), to: at(3), rows: [{ key: keys[0]!, value: 3 }] })
        assert.deepEqual(await store.loadRows(name, keys.slice(0, 2)), [3, next])
        if (saved === 'answered' && !isDone) return assert.ok(outcomes.has('killed 1'))
      }
    }
    assert.fail('the step has more writes than that')
  })

  test('a process that comes late with the rows of an old step does not put them over newer ones', async (t) => {
    const { database, state, prefix } = await dying(t, server)
    const { store } = await openStore(t, server, { prefix })
    await store.saveStep('p', { from: at(0), to: at(1), rows: rowsOf(1) })
    // It stops when the step is saved, before any row is in its place.
    const late = new Projections(database, 'test')
    state.dies = { at: 5, isDone: false }
    await late.saveStep('p', { from: at(1), to: at(2), rows: rowsOf(2) })
    await store.saveStep('p', { from: at(2), to: at(3), rows: rowsOf(3) })
    state.dies = undefined
    await assert.rejects(late.saveStep('p', { from: at(2), to: at(3), rows: rowsOf(9) }), {
      code: 'CHECKPOINT_CONFLICT',
    })
    assert.ok((await store.loadRows('p', keys)).every((value) => value === 3))
  })

  test('rows of a projection that was reset do not come back, even if they were not removed', async (t) => {
    const { prefix } = await openStore(t, server)
    const { store } = await openStore(t, server, { prefix })
    const other = (await openStore(t, server, { prefix })).store
    await store.saveStep('p', { from: at(0), to: at(1), rows: rowsOf(1) })
    assert.equal((await other.listRows('p', { limit: 10 })).rows.length, 10)
    await store.resetProjection('p')
    assert.deepEqual(await other.listRows('p', { limit: 10 }), { rows: [] })
    await store.saveStep('p', { from: at(0), to: at(1), rows: [{ key: 'new', value: 5 }] })
    assert.deepEqual(await other.listRows('p', { limit: 10 }), { rows: [{ key: 'new', value: 5 }] })
    assert.deepEqual(await other.loadRows('p', ['new', keys[0]!]), [5, undefined])
  })

  test('the keys that a process knows follow the steps of others, deletions among them', async (t) => {
    const { prefix, store } = await openStore(t, server)
    const other = (await openStore(t, server, { prefix })).store
    const listed = async () => (await other.listRows('p', { limit: 100 })).rows.map(({ key }) => key)
    const long = 'x'.repeat(3000)
    let position = 0
    const step = async (rows: readonly { key: string; value: number | undefined }[]) => {
      await store.saveStep('p', { from: at(position), to: at(++position), rows })
    }
    await step(['b', 'a', long].map((key) => ({ key, value: 1 })))
    assert.deepEqual(await listed(), ['a', 'b', long])
    await step([{ key: 'c', value: 1 }])
    assert.deepEqual(await listed(), ['a', 'b', 'c', long])
    await step([
      { key: 'b', value: undefined },
      { key: long, value: undefined },
    ])
    assert.deepEqual(await listed(), ['a', 'c'])
    await step([{ key: 'b', value: 2 }])
    assert.deepEqual(await listed(), ['a', 'b', 'c'])
  })
})
