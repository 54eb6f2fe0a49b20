/** The reference system’s eleven defects: each a test that shows ours does not have it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commit, domain } from '../../src/index.ts'
import type { Snapshot } from '../../src/store/store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import {
  codesOf,
  logOf,
  type RunningVaults,
  recorder,
  stands,
  startVaults,
  until,
  watched,
} from '../support/kernel/rig.ts'
import { vaultWith } from '../support/kernel/vault.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const opening = { now: () => 0, warn: () => {} }
const streamOf = (id: string) => ({ aggregate: 'vault', id })

/** Callers that each add one after the other, all at once. */
async function addMany(vaults: RunningVaults, callers: number, each: number, ids: number): Promise<readonly number[]> {
  const positions = Array.from({ length: callers }, async (_, caller) => {
    const own: number[] = []
    for (let i = 0; i < each; i++) own.push((await vaults.vault(`v${(caller + i) % ids}`).add({ amount: 1 })).position)
    return own
  })
  return (await Promise.all(positions)).flat()
}

const writing = { title: 'Defects of writing and reading', quickOn: ['memory', 'sqlite'] } as const
await onEveryStore(writing, ({ place }) => {
  test('defect 1: with eight concurrent appenders a projection handles every event that its checkpoint says', async (t) => {
    await using vaults = await startVaults({ store: await place(t), projections: 'automatic' })
    const positions = await addMany(vaults, 8, 60, 16)
    const atLeast = Math.max(...positions)
    assert.equal(atLeast, 480)
    let handled = 0
    for (let i = 0; i < 16; i++) handled += (await vaults.totals.get(`v${i}`, { atLeast }))!.events
    assert.equal(handled, 480)
  })

  test('defect 2: loading an aggregate reads its own events only, however often aggregates come and go', async (t) => {
    const watch = watched(await place(t))
    await using vaults = await startVaults({ store: watch.store, limits: { liveAggregatesMax: 10 } })
    for (let round = 0; round < 3; round++) await addMany(vaults, 20, 10, 100)
    assert.equal(watch.count('readAll'), 0)
    watch.forget()
    await vaults.vault('v7').look()
    for (const { method, args } of watch.calls) {
      // Where the stream ends is looked at before a command is told that there is nothing to do.
      assert.ok(method === 'readStream' || method === 'streamEnds')
      assert.deepEqual(method === 'readStream' ? args[0] : (args[0] as unknown[])[0], streamOf('v7'))
    }
    assert.ok(watch.calls.length <= 2)
  })

  test('defect 4: a caller of a slow command gets its answer, and the id works afterwards', async (t) => {
    const watch = watched(await place(t))
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, number }) => (method === 'append' && number === 1 ? gate.promise : undefined))
    const slow = vaults.vault('a').add({ amount: 1 })
    await until('the append is under way', () => watch.count('append') === 1)
    await environment.advance(3_600_000)
    assert.equal(await stands(slow), 'pending')
    gate.resolve()
    assert.equal((await slow).sequence, 1)
    assert.deepEqual((await vaults.vault('a').add({ amount: 2 })).state.amounts, [1, 2])
  })

  test('defect 5: an event that leaves a gap is refused, and a command id counts', async (t) => {
    const store = await place(t)
    const opened = await store.open(opening)
    const events = [{ type: 'Added', data: { amount: 1 } }]
    const gap = commit({ stream: streamOf('a'), expected: 4, id: 'gap', recordedAt: 0, events })
    assert.deepEqual(await opened.append([gap]), [{ status: 'conflict', sequence: 0 }])
    await opened.close()
    await using vaults = await startVaults({ store })
    const send = () => vaults.vault('a').add({ amount: 1 }, { commandId: 'once' })
    assert.deepEqual(await send(), await send())
    assert.equal((await vaults.vault('a').state()).amounts.length, 1)
  })
})

const ofFiles = { title: 'Defects of the file store', quickOn: ['file'] } as const
await onEveryStore(ofFiles, ({ place, severalWriters }) => {
  test('defect 9: streams with similar ids do not mix, and concurrent writers never share a position', async (t) => {
    const store = await place(t)
    const vaults = await startVaults({ store })
    const others = severalWriters ? [await startVaults({ store }), await startVaults({ store })] : []
    await Promise.all([vaults, ...others].map((each) => addMany(each, 4, 15, 3)))
    await vaults.vault('a/b').add({ amount: 1 })
    await vaults.vault('a_b').add({ amount: 2 })
    assert.deepEqual((await vaults.vault('a/b').state()).amounts, [1])
    assert.deepEqual((await vaults.vault('a_b').state()).amounts, [2])
    for (const each of [vaults, ...others]) await each.stop()
    const positions = (await logOf(store)).map(({ position }) => position)
    const expected = 60 * (1 + others.length) + 2
    assert.deepEqual(
      positions,
      Array.from({ length: expected }, (_, i) => i + 1),
    )
  })

  test('defect 9: appending to a live aggregate reads nothing back', async (t) => {
    const watch = watched(await place(t))
    await using vaults = await startVaults({ store: watch.store })
    await vaults.vault('a').add({ amount: 1 })
    watch.forget()
    for (let i = 0; i < 20; i++) await vaults.vault('a').add({ amount: 1 })
    assert.deepEqual([...new Set(watch.calls.map(({ method }) => method))], ['append'])
  })

  test('defect 11: the metadata and tags of a command reach its events', async (t) => {
    const store = await place(t)
    const vaults = await startVaults({ store })
    await vaults.vault('a').burst({ count: 2 }, { metadata: { user: 'ada', trace: ['t', 1] }, tags: ['x', 'y/z'] })
    await vaults.stop()
    for (const { metadata, tags } of await logOf(store)) {
      assert.deepEqual([metadata, tags], [{ user: 'ada', trace: ['t', 1] }, ['x', 'y/z']])
    }
  })
})

await onEveryStore('Defects of the actors', ({ place }) => {
  test('defect 3: a command that takes its time delays no other aggregate', async (t) => {
    const watch = watched(await place(t))
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, args }) =>
      method === 'readStream' && (args[0] as { readonly id: string }).id === 'slow' ? gate.promise : undefined,
    )
    await using vaults = await startVaults({ store: watch.store })
    const slow = vaults.vault('slow').add({ amount: 1 })
    for (let i = 0; i < 20; i++) await vaults.vault(`v${i}`).add({ amount: 1 })
    assert.equal(await stands(slow), 'pending')
    gate.resolve()
    await slow
  })

  test('defect 6: an event whose application throws is not stored, and the aggregate can be loaded again', async (t) => {
    const store = await place(t)
    const before = await startVaults({ store })
    await before.vault('a').add({ amount: 1 })
    assert.deepEqual(await codesOf([before.vault('a').spoil()]), ['EVOLVE_FAILED'])
    await before.stop()
    await using after = await startVaults({ store })
    assert.deepEqual((await after.vault('a').add({ amount: 2 })).state.amounts, [1, 2])
  })

  test('defect 10: a rejected command puts the idle time off, and a command behind passivation is not lost', async (t) => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: await place(t), environment, passivateAfterMs: 1000 })
    await vaults.vault('a').add({ amount: 1 })
    await environment.advance(700)
    await vaults.vault('a').try.take({ amount: 99 })
    await environment.advance(700)
    assert.equal(vaults.load().liveAggregates, 1)
    let behind: Promise<unknown> | undefined
    environment.after(300, () => {
      behind = vaults.vault('a').add({ amount: 2 })
    })
    await environment.advance(300)
    await behind
    assert.deepEqual((await vaults.vault('a').state()).amounts, [1, 2])
  })
})

await onEveryStore('Defects of projections and snapshots', ({ place }) => {
  test('defect 7: a projection keeps its rows with its checkpoint, in few writes, and an idle poll reads nothing old', async (t) => {
    const watch = watched(await place(t))
    const before = await startVaults({ store: watch.store })
    for (let i = 0; i < 3; i++) await before.vault(`v${i}`).burst({ count: 500 })
    await before.projections.runOnce('totals')
    await before.stop()
    assert.ok(watch.count('saveStep') <= 3)
    watch.forget()
    const environment = manualEnvironment()
    // Longer than the manual clock goes forward while a slow store answers: nobody takes over but at the start.
    const options = { environment, projections: 'automatic', leaseMs: 864_000_000 } as const
    await using after = await startVaults({ ...options, store: watch.store })
    assert.deepEqual(await after.totals.get('v1', { atLeast: 1500 }), { balance: 500, events: 500 })
    await until('the projection has looked five times', async () => {
      await environment.advance(1000)
      return watch.count('head') >= 5
    })
    for (const { method, args } of watch.calls.filter(({ method }) => method === 'readAll')) {
      assert.deepEqual([method, (args[0] as { readonly from: number }).from], ['readAll', 1501])
    }
    assert.equal(watch.count('saveStep'), 1, 'only the term is raised, once')
  })

  test('defect 8: a commit that jumps over a multiple takes a snapshot', async (t) => {
    const watch = watched(await place(t))
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 3 })
    await vaults.vault('a').burst({ count: 5 })
    await vaults.stop()
    const [saved] = watch.calls.filter(({ method }) => method === 'saveSnapshot')
    assert.equal((saved!.args[0] as Snapshot).sequence, 5)
  })

  test('defect 8: an older snapshot does not replace a newer one', async (t) => {
    const store = await (await place(t)).open(opening)
    const snapshot = { stream: streamOf('a'), stateRevision: 1, checksum: 1, fingerprint: 'f', takenAt: 0 }
    await store.saveSnapshot({ ...snapshot, sequence: 6, state: 'new' }, { keep: 1 })
    await store.saveSnapshot({ ...snapshot, sequence: 3, state: 'old' }, { keep: 1 })
    assert.equal((await store.loadSnapshot(streamOf('a')))?.state, 'new')
    await store.close()
  })

  test('defect 8: a state of a changed shape is not loaded blindly', async (t) => {
    const store = await place(t)
    const start = (stateRevision: number, log = recorder()) =>
      domain({ aggregates: { vault: vaultWith({ snapshotEvery: 1, stateRevision }) } }).start({ store, log })
    const before = await start(1)
    await before.vault('a').burst({ count: 2 })
    await before.stop()
    const log = recorder()
    await using after = await start(2, log)
    assert.equal((await after.vault('a').look()).state.balance, 2)
    assert.deepEqual(log.codes(), ['SNAPSHOT_IGNORED'])
  })
})
