/** The reference system’s behaviours of an aggregate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from '../../src/index.ts'
import type { Snapshot } from '../../src/store/store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, logOf, recorder, startVaults, watched } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

await onEveryStore('Aggregate', ({ place }) => {
  test('deposits and withdrawals change balance and sequence', async (t) => {
    await using vaults = await startVaults({ store: await place(t) })
    const vault = vaults.vault('a')
    const steps = [await vault.add({ amount: 100 }), await vault.take({ amount: 30 }), await vault.add({ amount: 5 })]
    assert.deepEqual(
      steps.map(({ state, sequence, position }) => [state.balance, sequence, position]),
      [
        [100, 1, 1],
        [70, 2, 2],
        [75, 3, 3],
      ],
    )
  })

  test('after the idle timeout the actor is gone, and the next start has the same state', async (t) => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: await place(t), environment, passivateAfterMs: 500 })
    const { state } = await vaults.vault('a').burst({ count: 4 })
    await environment.advance(500)
    assert.equal(vaults.load().liveAggregates, 0)
    assert.deepEqual((await vaults.vault('a').look()).state, state)
    assert.equal(vaults.load().liveAggregates, 1)
  })

  test('an unknown command and an overdraft are refused and store nothing', async (t) => {
    const store = await place(t)
    const vaults = await startVaults({ store })
    await vaults.vault('a').add({ amount: 10 })
    const unknown = vaults.dispatch({ aggregate: 'vault', id: 'a', name: 'steal' } as never)
    assert.deepEqual(await codesOf([unknown, vaults.vault('a').take({ amount: 11 })]), ['COMMAND_UNKNOWN', 'TooLittle'])
    await vaults.stop()
    assert.equal((await logOf(store)).length, 1)
  })

  test('an injected clock stamps the stored event', async (t) => {
    const store = await place(t)
    const vaults = await startVaults({ store, environment: manualEnvironment({ now: '2031-02-03T04:05:06.789Z' }) })
    await vaults.vault('a').add({ amount: 1 })
    await vaults.stop()
    assert.equal(new Date((await logOf(store))[0]!.recordedAt).toISOString(), '2031-02-03T04:05:06.789Z')
  })
})

await onEveryStore('Snapshots of an aggregate', ({ place }) => {
  test('an interval of 3 takes snapshots at 3 and 6', async (t) => {
    const watch = watched(await place(t))
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 3 })
    for (let i = 0; i < 7; i++) await vaults.vault('a').add({ amount: 1 })
    await vaults.stop()
    const saved = watch.calls.filter(({ method }) => method === 'saveSnapshot').map(({ args }) => args[0] as Snapshot)
    assert.deepEqual(
      saved.map(({ sequence }) => sequence),
      [3, 6],
    )
  })

  test('a start from a snapshot and later events equals the live state', async (t) => {
    const store = await place(t)
    const live = await startVaults({ store, snapshotEvery: 3 })
    for (let i = 1; i <= 8; i++) await live.vault('a').add({ amount: i })
    const { state } = await live.vault('a').look()
    await live.stop()
    await using again = await startVaults({ store, snapshotEvery: 3 })
    assert.deepEqual((await again.vault('a').look()).state, state)
  })

  test('events in one store and snapshots in another work together', async (t) => {
    const [events, snapshots] = [await place(t), memory()]
    const before = await startVaults({ events, snapshots, snapshotEvery: 2 })
    await before.vault('a').burst({ count: 3 })
    await before.stop()
    const watch = watched(snapshots)
    await using after = await startVaults({ events, snapshots: watch.store, snapshotEvery: 2 })
    assert.equal((await after.vault('a').add({ amount: 1 })).sequence, 4)
    assert.equal(watch.count('loadSnapshot'), 1)
  })

  test('saving to a snapshot store that is down warns and fails no command', async (t) => {
    const watch = watched(memory())
    watch.disturb(({ method }) => (method === 'saveSnapshot' ? 'before' : undefined))
    const log = recorder()
    const vaults = await startVaults({ events: await place(t), snapshots: watch.store, snapshotEvery: 1, log })
    assert.equal((await vaults.vault('a').add({ amount: 1 })).sequence, 1)
    await vaults.stop()
    assert.deepEqual(log.codes(), ['SNAPSHOT_FAILED'])
  })
})
