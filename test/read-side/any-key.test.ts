/** Every id that an aggregate may have can also be a key of a row, of a state and of a parked event, on every store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction } from '../../src/index.ts'
import { recorder } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const Added = event('Added', z.object({ amount: z.number() }))
const Box = aggregate('box', () => 0)
  .on(Added, (sum, { amount }) => sum + amount)
  .command('add', z.object({ amount: z.number() }), (_, { amount }) => Added({ amount }))
  .command('note', z.object({}), () => undefined)

/** Fails on 13 as long as it is unlucky. */
let isUnlucky = true
const lucky = (amount: number) => {
  if (isUnlucky && amount === 13) throw new RangeError('unlucky')
  return amount
}
const Sums = projection('sums', () => ({ sum: 0 }))
  .on(Added, ({ sum }, { amount }) => ({ sum: sum + lucky(amount) }))
  .onFailure({ giveUp: 'park' })
const Counts = reaction('counts', { box: Box })
  .state(() => ({ seen: 0 }))
  .on(Added, async ({ stream, data }, { dispatch, state, setState }) => {
    lucky(data.amount)
    setState({ seen: state.seen + 1 })
    await dispatch({ aggregate: 'box', id: stream.id, name: 'note', metadata: { seen: state.seen + 1 } })
  })
  .onFailure({ giveUp: 'park', retries: 0 })
const Boxes = domain({ aggregates: { box: Box }, projections: { sums: Sums }, reactions: { counts: Counts } })

const own = '\u0001parked 0000000000000001'
const ids = [
  '\u0001',
  '\u0001\u0001',
  own,
  `\u0001${own}`,
  '\u0001'.repeat(1024),
  'timer 1:0',
  'state a',
  'rejection 1:x',
  'generations',
  '__proto__',
  'plain',
]

await onEveryStore('Ids that look like keys of Mneme’s own', ({ place }) => {
  test('can be keys of rows, states and parked events, and come back unchanged', async (t) => {
    isUnlucky = true
    const running = await Boxes.start({ store: await place(t), projections: 'manual', log: recorder() })
    const run = async () => {
      await running.projections.runOnce('sums')
      await running.reactions.runOnce('counts')
    }
    for (const id of ids) await running.box(id).add({ amount: 1 })
    await run()
    const parkedIds = ids.slice(0, 4)
    for (const id of parkedIds) for (const amount of [13, 2]) await running.box(id).add({ amount })
    await run()
    for (const managed of [running.projections.parked('sums'), running.reactions.parked('counts')]) {
      assert.equal((await managed).length, 8)
    }
    for (const id of ids) assert.deepEqual(await running.sums.get(id), { sum: 1 }, id)
    const { rows: all } = await running.sums.find()
    assert.deepEqual(new Set(all.map(({ key }) => key)), new Set(ids))
    assert.equal((await running.sums.find({ where: { sum: 1 }, orderBy: ['sum'] })).rows.length, ids.length)
    isUnlucky = false
    assert.deepEqual(await running.projections.retryParked('sums'), { handled: 8, parked: 0 })
    assert.deepEqual(await running.reactions.retryParked('counts'), { handled: 8, parked: 0 })
    for (const id of parkedIds) assert.deepEqual(await running.sums.get(id), { sum: 16 }, id)
    const { rows, differing } = await running.projections.compare('sums')
    assert.deepEqual({ rows, differing }, { rows: ids.length, differing: 0 })
    await running.stop()
  })
})
