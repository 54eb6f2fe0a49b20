/** Projections and parked events, managed through the studio. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, memory, projection, type StoreFactory } from '../../../src/index.ts'
import { until } from '../../../test/support/kernel/rig.ts'
import { studioPlace } from '../../../test/support/tools/studio-place.ts'
import type { FollowerView, ParkedView, RebuildView } from './views.ts'

const Noted = event('Noted', z.object({ n: z.number() }))
const Pad = aggregate('pad', () => ({}))
  .on(Noted)
  .command('note', z.object({ n: z.number() }), (_, data) => Noted(data))

/** Pads whose projection refuses a number. */
const pads = (refused: number) => {
  const Sum = projection('the sum', () => ({ sum: 0 }))
    .on(Noted, ({ sum }, { n }) => {
      if (n === refused) throw new Error(`not ${n}`)
      return { sum: sum + n }
    })
    .onFailure({ giveUp: 'park' })
  return domain({ aggregates: { pad: Pad }, projections: { sum: Sum } })
}

/** A store in which the projection has parked the second of three events. */
async function parkedStore(): Promise<StoreFactory> {
  const store = memory()
  await using running = await pads(2).start({ store, projections: 'manual', log: { warn() {} } })
  for (const n of [1, 2, 3]) await running.pad(`p${n}`).note({ n })
  await running.projections.runOnce('sum')
  return store
}

describe('Projections in the studio', () => {
  test('are rebuilt, and parked events are handled again or skipped', async (t) => {
    const { post, ask } = await studioPlace(t, { store: await parkedStore(), domain: pads(2) }, { isWritable: true })
    const parked = async () =>
      ((await (await ask('/api/parked')).json()) as { readonly parked: readonly ParkedView[] }).parked
    const manage = async (question: object) => {
      const response = await post('/api/manage', { kind: 'projection', name: 'the sum', ...question })
      assert.equal(response.status, 200, await response.clone().text())
      return response.json()
    }
    const [aside] = await parked()
    assert.deepEqual(await manage({ action: 'retry' }), { handled: 0, parked: 1 })
    await manage({ action: 'skip', position: aside!.position })
    assert.deepEqual(await parked(), [])
    await manage({ action: 'rebuild' })
    const rebuilds = async () =>
      ((await (await ask('/api/rebuilds')).json()) as { readonly rebuilds: readonly RebuildView[] }).rebuilds
    await until('the rebuild is done', async () => (await rebuilds())[0]?.status === 'done')
    assert.deepEqual(await rebuilds(), [{ projection: 'the sum', status: 'done', position: 3, head: 3 }])
    // It was skipped in the rows before, and the new ones have parked it again.
    assert.equal((await parked()).length, 1)
  })

  test('are paused in all processes until they are resumed', async (t) => {
    const store = await parkedStore()
    const { post, ask } = await studioPlace(t, { store, domain: pads(0) }, { isWritable: true })
    const pausedSince = async () => {
      const { followers } = (await (await ask('/api/followers')).json()) as {
        readonly followers: readonly FollowerView[]
      }
      return followers[0]!.pausedSince
    }
    const manage = async (action: string) =>
      (await post('/api/manage', { action, kind: 'projection', name: 'the sum' })).status
    assert.equal(await pausedSince(), undefined)
    assert.equal(await manage('pause'), 200)
    assert.ok(Date.parse((await pausedSince())!) > 0)
    await using elsewhere = await pads(0).start({ store, projections: 'manual', log: { warn() {} } })
    await assert.rejects(elsewhere.projections.runOnce('sum'), { code: 'PROJECTION_PAUSED' })
    assert.equal(await manage('resume'), 200)
    assert.equal(await pausedSince(), undefined)
    await elsewhere.projections.runOnce('sum')
  })

  test('are handled again with code that can do it', async (t) => {
    const { post } = await studioPlace(t, { store: await parkedStore(), domain: pads(0) }, { isWritable: true })
    const answer = await post('/api/manage', { action: 'retry', kind: 'projection', name: 'the sum' })
    assert.deepEqual(await answer.json(), { handled: 1, parked: 0 })
  })

  test('stay as they are unless the studio was started to write, and if a question is wrong', async (t) => {
    const store = await parkedStore()
    const reading = await studioPlace(t, { store, domain: pads(0) })
    for (const action of ['rebuild', 'pause', 'resume', 'retry', 'skip']) {
      const refused = await reading.post('/api/manage', { action, kind: 'projection', name: 'the sum', position: 2 })
      assert.equal(refused.status, 403, action)
    }
    const writing = await studioPlace(t, { store, domain: pads(0) }, { isWritable: true })
    for (const [question, code] of [
      [{ action: 'drop', kind: 'projection', name: 'the sum' }, 'USAGE'],
      [{ action: 'skip', kind: 'projection', name: 'the sum' }, 'USAGE'],
      [{ action: 'skip', kind: 'projection', name: 'the sum', position: 'x' }, 'USAGE'],
      [{ action: 'retry', kind: 'projection', name: 'nothing' }, 'FOLLOWER_UNKNOWN'],
      [{ action: 'retry', kind: 'projection' }, 'USAGE'],
      [{ action: 'retry', name: 'the sum' }, 'USAGE'],
      [{ action: 'retry', kind: 'reaction', name: 'the sum' }, 'FOLLOWER_UNKNOWN'],
    ] as const) {
      const answer = await writing.post('/api/manage', question)
      const { error } = (await answer.json()) as { readonly error: { readonly code: string } }
      assert.deepEqual([answer.status, error.code], [400, code], JSON.stringify(question))
    }
    const { parked } = (await (await reading.ask('/api/parked')).json()) as { readonly parked: readonly ParkedView[] }
    assert.equal(parked.length, 1)
  })
})
