/**
 * Steps of projections, interrupted at every command: before it reaches the server, or after it was done but its answer
 * was lost. Rows and checkpoint are always of one step, and the step can be repeated.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { dyingClient, interceptedClient } from '../../../../test/support/servers/mongodb-clients.ts'
import { openClient, opening, openStore } from '../../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import type { ProjectionStep, Row, Store } from '../../store.ts'
import { mongodb } from '../index.ts'

const row = (key: string, value: Row['value']): Row => ({ key, value })
const first: ProjectionStep = { from: at(0), to: at(5), rows: [row('a', 1), row('b', 1), row('c', 1)] }
const second: ProjectionStep = { from: at(5), to: at(9), rows: [row('a', 2), row('b', undefined), row('d', 2)] }
const keys = ['a', 'b', 'c', 'd']

async function stateOf(store: Store): Promise<unknown> {
  const { rows: listed } = await store.listRows('p', { limit: 10 })
  assert.deepEqual(
    listed.map(({ value }) => value),
    (await store.loadRows('p', keys)).filter((value) => value !== undefined),
  )
  return [(await store.loadCheckpoint('p')).position, await store.loadRows('p', keys)]
}

const before = [5, [1, 1, 1, undefined]]
const after = [9, [2, undefined, 1, 2]]

/** Checks a step whose process dies at any write, for both ways in which a server may save it. */
async function diesAnywhere(context: TestContext, server: TestServer, when: 'before' | 'after'): Promise<void> {
  const client = await openClient(context, server)
  for (let nth = 1, hasDied = true; hasDied; nth++) {
    const store = await openStore(context, server)
    await store.saveStep('p', first)
    const dying = dyingClient(client, nth, when)
    const runner = await mongodb(dying.client, { database: store.database, migrate: false }).open(opening)
    const outcome = await runner.saveStep('p', second).then(
      () => 'saved',
      () => 'failed',
    )
    hasDied = dying.died()
    const state = await stateOf(store)
    assert.deepEqual(state, JSON.stringify(state) === JSON.stringify(before) && outcome === 'failed' ? before : after)
    await store.saveStep('p', second).catch(({ code }) => assert.equal(code, 'CHECKPOINT_CONFLICT'))
    assert.deepEqual(await stateOf(store), after, `write ${nth} ${when}`)
    await store.resetProjection('p')
    assert.deepEqual(await stateOf(store), [0, [undefined, undefined, undefined, undefined]])
    await runner.close()
  }
}

function partsAreRemoved(server: TestServer): void {
  test('parts of a step that cannot be written are removed, and those that a killed process left by a later step', async (context) => {
    const store = await openStore(context, server, { timeoutMs: 60_000 })
    const client = await openClient(context, server)
    const [parts, projections] = ['mneme_step_parts', 'mneme_projections'].map((name) =>
      client.db(store.database).collection<{ _id: string }>(name),
    )
    let isAlive = true
    let written = 0
    const full = interceptedClient(client, async (command, send) => {
      if (!isAlive || (command['insert'] === 'mneme_step_parts' && written++ % 2 === 1)) throw new Error('disk full')
      return send()
    })
    const runner = await mongodb(full, { database: store.database, migrate: false }).open(opening)
    context.after(() => runner.close())
    const rows = Array.from({ length: 12 }, (_, i) => row(`k${i}`, 'x'.repeat(1_000_000)))
    for (let tries = 1; tries <= 2; tries++) {
      await assert.rejects(runner.saveStep('p', { from: at(0), to: at(1), rows }))
      assert.deepEqual([written, await parts!.countDocuments()], [2 * tries, 0])
    }
    const killed = interceptedClient(client, async (command, send) => {
      if (command['insert'] === 'mneme_step_parts' && written++ % 2 === 1) isAlive = false
      if (!isAlive) throw new Error('killed')
      return send()
    })
    const dying = await mongodb(killed, { database: store.database, migrate: false }).open(opening)
    context.after(() => dying.close())
    await assert.rejects(dying.saveStep('p', { from: at(0), to: at(1), rows }))
    assert.equal(await parts!.countDocuments(), 1)
    await store.saveStep('p', { from: at(0), to: at(1), rows: [row('a', 1)] })
    await projections!.updateOne({ _id: 'p' }, { $set: { step: 199n } })
    await store.saveStep('p', { from: at(1), to: at(2), rows: [row('a', 2)] })
    assert.equal(await parts!.countDocuments(), 0)
  })
}

function stepsHold(server: TestServer): void {
  partsAreRemoved(server)

  test('a step whose process dies before any of its writes is saved completely or not at all', (context) =>
    diesAnywhere(context, server, 'before'))

  test('a step whose process dies after any of its writes is saved completely or not at all', (context) =>
    diesAnywhere(context, server, 'after'))

  test('a step too large for one document is saved completely, and only once if several processes try', async (context) => {
    const store = await openStore(context, server, { timeoutMs: 60_000 })
    const rows = Array.from({ length: 12 }, (_, i) => row(`k${i}`, 'x'.repeat(1_000_000)))
    const saved = await Promise.allSettled([1, 2].map((to) => store.saveStep('p', { from: at(0), to: at(to), rows })))
    assert.equal(saved.filter(({ status }) => status === 'fulfilled').length, 1)
    const loaded = await store.loadRows(
      'p',
      rows.map(({ key }) => key),
    )
    assert.ok(loaded.every((value) => value === rows[0]!.value))
    const client = await openClient(context, server)
    assert.equal(await client.db(store.database).collection('mneme_step_parts').countDocuments(), 0)
  })

  test('a step after somebody has deleted the checkpoint is written over all rows beside it', async (context) => {
    const store = await openStore(context, server)
    await store.saveStep('p', first)
    await store.saveStep('p', second)
    const client = await openClient(context, server)
    await client.db(store.database).collection<{ _id: string }>('mneme_projections').deleteOne({ _id: 'p' })
    const again = [row('a', 3), row('b', 3), row('c', undefined), row('d', undefined)]
    await store.saveStep('p', { from: at(0), to: at(1), rows: again })
    assert.deepEqual(await stateOf(store), [1, [3, 3, undefined, undefined]])
  })

  test('a row that no document can hold is refused before anything is saved', async (context) => {
    const store = await openStore(context, server)
    const step = { from: at(0), to: at(1), rows: [row('small', 1), row('large', 'x'.repeat(15_000_001))] }
    await assert.rejects(store.saveStep('p', step), { code: 'DATA_NOT_JSON' })
    assert.deepEqual(await store.loadCheckpoint('p'), at(0))
    assert.deepEqual(await store.loadRows('p', ['small']), [undefined])
  })
}

await onServer('Steps on MongoDB', findMongodb, stepsHold)

await onServer('Steps on FerretDB', findFerretdb, (server) => {
  stepsHold(server)

  test('a row that is put in its place late neither replaces a newer row nor brings back a deleted one', async (context) => {
    const store = await openStore(context, server)
    const client = await openClient(context, server)
    const rows = client.db(store.database).collection('mneme_rows')
    await store.saveStep('p', first)
    await store.saveStep('p', second)
    const pending = { rows: first.rows.map(({ key, value }) => ({ key, value: JSON.stringify(value) })) }
    const projections = client.db(store.database).collection<{ _id: string }>('mneme_projections')
    // Like a process that read the document at the first step and writes only now.
    const late = await projections.findOne({ _id: 'p' })
    await projections.replaceOne({ _id: 'p' }, { ...late, step: 1n, pending } as never)
    await store.loadCheckpoint('p')
    assert.deepEqual(await store.loadRows('p', keys), after[1])
    assert.equal(await rows.countDocuments({ projection: 'p', value: { $exists: true } }), 3)
  })
})
