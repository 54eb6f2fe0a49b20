/**
 * What can be asked of all instances of an aggregate, and of the history of one, on every store. Also about instances
 * that another process has written.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HistoryOptions, memory } from '../../src/index.ts'
import type { RunningVaults } from '../support/kernel/rig.ts'
import { startVaults } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const amountsOf = async (vaults: RunningVaults, options?: HistoryOptions) =>
  (await Array.fromAsync(vaults.vault('a').history(options))).map(({ sequence }) => sequence)

await onEveryStore('Instances of an aggregate', ({ place, severalWriters }) => {
  test('are listed, read and counted, whoever has written them', async (t) => {
    const store = await place(t)
    await using a = await startVaults({ store })
    const other = severalWriters ? await startVaults({ store }) : undefined
    await using b = other ?? a
    assert.deepEqual([await a.vault.ids(), await a.head()], [{ ids: [] }, 0])
    for (const [i, id] of ['c', 'a', 'b', 'd'].entries()) await (i % 2 === 0 ? a : b).vault(id).burst({ count: i + 1 })
    assert.equal(await a.head(), 10)
    assert.deepEqual(await a.vault.ids(), { ids: ['a', 'b', 'c', 'd'] })
    assert.deepEqual(await b.vault.ids({ limit: 2 }), { ids: ['a', 'b'], next: 'b' })
    assert.deepEqual(await a.vault.ids({ after: 'b', limit: 2 }), { ids: ['c', 'd'] })
    const wanted = ['d', 'none', 'a', 'd']
    assert.deepEqual(await a.vault.sequences(wanted), [4, 0, 2, 4])
    assert.deepEqual(await a.vault.states(wanted), await b.vault.states(wanted))
    const [d, none] = await a.vault.states(wanted)
    assert.deepEqual([d!.state.balance, d!.sequence, d!.position], [4, 4, 10])
    assert.deepEqual(none, { state: { balance: 0, amounts: [] }, sequence: 0, position: 0 })
    await b.vault('d').add({ amount: 1 })
    assert.deepEqual([(await a.vault.states(['d']))[0]!.sequence, await a.vault.sequences(['d'])], [5, [5]])
  })

  test('have a history that is read from any point, in both directions, up to a limit', async (t) => {
    await using vaults = await startVaults({ store: await place(t) })
    await vaults.vault('b').add({ amount: 1 })
    for (const count of [2, 1, 3]) await vaults.vault('a').burst({ count })
    assert.deepEqual(await amountsOf(vaults), [1, 2, 3, 4, 5, 6])
    assert.deepEqual(await amountsOf(vaults, { from: 2, to: 4 }), [2, 3])
    assert.deepEqual(await amountsOf(vaults, { direction: 'backward' }), [6, 5, 4, 3, 2, 1])
    assert.deepEqual(await amountsOf(vaults, { direction: 'backward', limit: 2 }), [6, 5])
    assert.deepEqual(await amountsOf(vaults, { direction: 'backward', to: 3, limit: 5 }), [2, 1])
    assert.deepEqual(await amountsOf(vaults, { from: 4, direction: 'backward' }), [6, 5, 4])
    assert.deepEqual(await amountsOf(vaults, { from: 7 }), [])
    assert.deepEqual(await amountsOf(vaults, { limit: 0 }), [])
    assert.deepEqual(await amountsOf(vaults, { from: 5, to: 2 }), [])
  })
})

await onEveryStore('A subscription to one instance', ({ place, severalWriters }) => {
  test('gives its events, also those that another process stores meanwhile, each once', async (t) => {
    const store = await place(t)
    await using a = await startVaults({ store, pollIntervalMs: 5 })
    const other = severalWriters ? await startVaults({ store }) : undefined
    await using b = other ?? a
    await b.vault('a').burst({ count: 2 })
    const found: number[] = []
    const following = (async () => {
      for await (const { sequence, stream } of a.vault('a').events()) {
        assert.equal(stream.id, 'a')
        found.push(sequence)
        if (sequence === 22) break
      }
    })()
    for (let n = 0; n < 20; n++) {
      await b.vault('b').add({ amount: 1 })
      await (n % 3 === 0 ? a : b).vault('a').add({ amount: 1 })
    }
    await following
    assert.deepEqual(
      found,
      Array.from({ length: 22 }, (_, i) => i + 1),
    )
    const reader = a.vault('a').events({ from: 'now' })[Symbol.asyncIterator]()
    const next = reader.next()
    await a.stop()
    assert.equal((await next).done, true)
  })
})

test('a history longer than its pages is read completely in both directions', async () => {
  await using vaults = await startVaults({ store: memory() })
  await vaults.vault('a').burst({ count: 2500 })
  const all = Array.from({ length: 2500 }, (_, i) => i + 1)
  assert.deepEqual(await amountsOf(vaults), all)
  assert.deepEqual(await amountsOf(vaults, { direction: 'backward' }), all.toReversed())
  assert.deepEqual(await amountsOf(vaults, { direction: 'backward', limit: 1001 }), all.slice(-1001).toReversed())
  assert.deepEqual(await amountsOf(vaults, { limit: 2001, from: 2 }), all.slice(1, 2002))
})
