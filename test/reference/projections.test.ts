/** The reference system’s behaviours of a projection. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, projection } from '../../src/index.ts'
import { codesOf, recorder, startVaults } from '../support/kernel/rig.ts'
import { Added, Taken, Vault } from '../support/kernel/vault.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const Picky = projection('picky', () => ({ sum: 0 })).on(Added, ({ sum }, { amount }) => {
  if (amount === 13) throw new RangeError('unlucky')
  return { sum: sum + amount }
})
const Losses = projection('losses', () => ({ taken: 0 })).on(Taken, ({ taken }, { amount }) => ({
  taken: taken + amount,
}))
const Both = domain({ aggregates: { vault: Vault }, projections: { picky: Picky, losses: Losses } })

await onEveryStore('Projection', ({ place }) => {
  test('run once handles the global log and saves the checkpoint', async (t) => {
    await using vaults = await startVaults({ store: await place(t) })
    await vaults.vault('a').burst({ count: 2 })
    await vaults.vault('b').add({ amount: 5 })
    assert.deepEqual(await vaults.projections.runOnce('totals'), { position: 3, events: 3 })
    assert.deepEqual(await vaults.projections.runOnce('totals'), { position: 3, events: 0 })
    assert.deepEqual(await vaults.totals.get('a'), { balance: 2, events: 2 })
  })

  test('resumes from a checkpoint', async (t) => {
    const store = await place(t)
    const before = await startVaults({ store })
    await before.vault('a').burst({ count: 2 })
    await before.projections.runOnce('totals')
    await before.vault('a').add({ amount: 5 })
    await before.stop()
    await using after = await startVaults({ store })
    assert.deepEqual(await after.projections.runOnce('totals'), { position: 3, events: 1 })
    assert.deepEqual(await after.totals.get('a'), { balance: 7, events: 3 })
  })

  test('filtered events are checkpointed', async (t) => {
    const store = await place(t)
    const before = await Both.start({ store, projections: 'manual' })
    await before.vault('a').burst({ count: 4 })
    assert.deepEqual(await before.projections.runOnce('losses'), { position: 4, events: 0 })
    await before.stop()
    await using after = await Both.start({ store, projections: 'manual' })
    await after.vault('a').take({ amount: 1 })
    assert.deepEqual(await after.projections.runOnce('losses'), { position: 5, events: 1 })
  })

  test('a failed event is not checkpointed', async (t) => {
    const store = await place(t)
    for (let start = 0; start < 2; start++) {
      await using vaults = await Both.start({ store, projections: 'manual', log: recorder() })
      if (start === 0) for (const amount of [1, 2, 13]) await vaults.vault('a').add({ amount })
      assert.deepEqual(await codesOf([vaults.projections.runOnce('picky')]), ['PROJECTION_FAILED'])
      assert.deepEqual(await vaults.picky.get('a'), { sum: 3 })
    }
  })

  test('the runner picks up later events', async (t) => {
    await using vaults = await startVaults({ store: await place(t), projections: 'automatic' })
    for (let i = 1; i <= 5; i++) {
      const { position } = await vaults.vault('a').add({ amount: 1 })
      assert.deepEqual(await vaults.totals.get('a', { atLeast: position }), { balance: i, events: i })
    }
  })
})
