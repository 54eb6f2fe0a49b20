/** When snapshots are taken, and which are used. They never make a command fail or a state wrong. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { codesOf, recorder, stands, startVaults, until, watched } from '../../test/support/kernel/rig.ts'
import { vaultWith } from '../../test/support/kernel/vault.ts'
import { commit, domain, memory, type StartOptions } from '../index.ts'
import type { Snapshot, Store } from '../store/store.ts'

const stream = { aggregate: 'vault', id: 'a' }
const snapshotsOf = (calls: ReturnType<typeof watched>['calls']) =>
  calls.filter(({ method }) => method === 'saveSnapshot').map(({ args }) => (args[0] as Snapshot).sequence)

/** Vaults with a state revision. */
const startRevision = (stateRevision: number, options: StartOptions) =>
  domain({ aggregates: { vault: vaultWith({ snapshotEvery: 3, stateRevision }) } }).start(options)

/** Adds 1 to a vault without the kernel. */
const addBehind = (watch: ReturnType<typeof watched>, id: string) =>
  withStore(watch, (store) => {
    const events = [{ type: 'Added', data: { amount: 1 } }]
    const place = { stream: { aggregate: 'vault', id }, expected: 'any', id: 'behind', recordedAt: 0 } as const
    return store.append([commit({ ...place, events })])
  })

/** Opens a store, does something with it, and closes it. */
async function withStore<T>(watch: ReturnType<typeof watched>, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await watch.store.open({ now: () => 0, warn: () => {} })
  const result = await work(store)
  await store.close()
  return result
}

describe('A snapshot', () => {
  test('is taken at every multiple that is reached', async () => {
    const watch = watched()
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 3 })
    for (let i = 1; i <= 7; i++) await vaults.vault('a').add({ amount: i })
    await vaults.stop()
    assert.deepEqual(snapshotsOf(watch.calls), [3, 6])
  })

  test('is taken if a multiple is passed, by one commit or by a batch of many', async () => {
    const watch = watched()
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 3 })
    await vaults.vault('a').burst({ count: 5 })
    await vaults.vault('a').add({ amount: 1 })
    await Promise.all(Array.from({ length: 4 }, () => vaults.vault('a').add({ amount: 1 })))
    await vaults.vault('a').add({ amount: 1 })
    await vaults.stop()
    assert.deepEqual(snapshotsOf(watch.calls), [5, 6, 10])
  })

  test('is not taken below the interval, nor for commands without events', async () => {
    const watch = watched()
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 3 })
    await vaults.vault('a').burst({ count: 2 })
    for (let i = 0; i < 5; i++) await codesOf([vaults.vault('a').take({ amount: 99 }), vaults.vault('a').look()])
    await vaults.stop()
    assert.deepEqual(snapshotsOf(watch.calls), [])
  })

  test('makes a load read only the events after it', async () => {
    const watch = watched()
    const before = await startVaults({ store: watch.store, snapshotEvery: 100 })
    await before.vault('a').burst({ count: 2_500 })
    await before.vault('a').add({ amount: 1 })
    await before.stop()
    watch.forget()
    await using after = await startVaults({ store: watch.store, snapshotEvery: 100 })
    assert.equal((await after.vault('a').add({ amount: 1 })).state.balance, 2_502)
    const ranges = watch.calls.filter(({ method }) => method === 'readStream').map(({ args }) => args[1])
    assert.deepEqual(ranges, [{ from: 2_500, to: Number.POSITIVE_INFINITY }])
  })

  test('is saved after the answer: a snapshot store that hangs delays no command', async () => {
    const watch = watched()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'saveSnapshot' ? gate.promise : undefined))
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 1 })
    for (let i = 0; i < 10; i++) await vaults.vault('a').add({ amount: 1 })
    const stopped = vaults.stop()
    assert.equal(await stands(stopped), 'pending', 'stopping saves what is due')
    gate.resolve()
    await stopped
    assert.equal(snapshotsOf(watch.calls).at(-1), 10)
  })

  test('that cannot be saved is a warning', async () => {
    const watch = watched()
    const log = recorder()
    watch.disturb(({ method }) => (method === 'saveSnapshot' ? 'before' : undefined))
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 2, log })
    await vaults.vault('a').burst({ count: 2 })
    await vaults.stop()
    assert.deepEqual(log.codes(), ['SNAPSHOT_FAILED'])
  })

  test('is left out with a warning when too many wait', async () => {
    const watch = watched()
    const log = recorder()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'saveSnapshot' ? gate.promise : undefined))
    const limits = { snapshotsWaitingMax: 2 }
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 1, log, limits })
    for (let i = 0; i < 6; i++) await vaults.vault(`v${i}`).add({ amount: 1 })
    gate.resolve()
    await vaults.stop()
    // One is being saved, two are waiting, three are left out.
    assert.equal(log.count('SNAPSHOT_SKIPPED'), 3)
  })

  test('that waits is replaced by a newer one of its stream', async () => {
    const watch = watched()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'saveSnapshot' ? gate.promise : undefined))
    const log = recorder()
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 1, log, limits: { snapshotsWaitingMax: 1 } })
    for (let i = 0; i < 6; i++) await vaults.vault('a').add({ amount: 1 })
    gate.resolve()
    await vaults.stop()
    assert.deepEqual(snapshotsOf(watch.calls), [1, 6])
    assert.deepEqual(log.codes(), [])
  })

  /** A vault of four events, with a snapshot in which some parts are wrong. */
  async function spoiled(spoil: (snapshot: Snapshot) => Snapshot): Promise<ReturnType<typeof watched>> {
    const watch = watched()
    const before = await startVaults({ store: watch.store, snapshotEvery: 4 })
    for (const id of ['a', 'b']) await before.vault(id).burst({ count: 4 })
    await before.stop()
    for (const { method, args } of [...watch.calls]) {
      if (method !== 'saveSnapshot') continue
      const snapshot = spoil({ ...(args[0] as Snapshot), state: { balance: -1, amounts: [] } })
      await withStore(watch, (store) => store.saveSnapshot(snapshot, { keep: 2 }))
    }
    return watch
  }

  test('that is valid is used', async () => {
    const { store } = await spoiled((snapshot) => snapshot)
    await using vaults = await startVaults({ store, snapshotEvery: 100 })
    assert.deepEqual((await vaults.vault('a').add({ amount: 1 })).state, { balance: 0, amounts: [1] })
  })

  for (const [what, spoil] of Object.entries<(snapshot: Snapshot) => Snapshot>({
    'of another state revision': (snapshot) => ({ ...snapshot, stateRevision: 2 }),
    'of other functions': (snapshot) => ({ ...snapshot, fingerprint: 'other' }),
    'of another log': (snapshot) => ({ ...snapshot, checksum: snapshot.checksum + 1 }),
    'ahead of its stream': (snapshot) => ({ ...snapshot, sequence: 9 }),
    'that cannot be read': (snapshot) => ({ ...snapshot, state: { $bigint: 'no number' } }),
    'of a shape that the functions throw on': (snapshot) => ({ ...snapshot, state: { balance: 4 } }),
  })) {
    test(`${what} is ignored with one warning for its aggregate type, and the streams are replayed`, async () => {
      const watch = await spoiled(spoil)
      const { store } = watch
      const log = recorder()
      await using vaults = await startVaults({ store, snapshotEvery: 100, log })
      await Promise.all(['a', 'b'].map((id) => addBehind(watch, id)))
      for (const id of ['a', 'b']) {
        const { state } = await vaults.vault(id).add({ amount: 1 })
        assert.deepEqual(state, { balance: 6, amounts: [1, 1, 1, 1, 1, 1] })
      }
      assert.deepEqual(log.codes(), ['SNAPSHOT_IGNORED'])
    })
  }

  test('from a store that is unavailable is ignored with a warning', async () => {
    const watch = watched()
    const before = await startVaults({ store: watch.store, snapshotEvery: 2 })
    await before.vault('a').burst({ count: 2 })
    await before.stop()
    const log = recorder()
    watch.disturb(({ method }) => (method === 'loadSnapshot' ? 'before' : undefined))
    await using after = await startVaults({ store: watch.store, snapshotEvery: 2, log })
    assert.equal((await after.vault('a').look()).state.balance, 2)
    assert.deepEqual(log.codes(), ['SNAPSHOT_IGNORED'])
  })

  test('of the old shape is replaced by one of the new shape after stateRevision is raised', async () => {
    const watch = watched()
    const store = watch.store
    const old = await startRevision(1, { store, log: recorder() })
    await old.vault('a').burst({ count: 3 })
    await old.stop()
    const log = recorder()
    const next = await startRevision(2, { store, log })
    await next.vault('a').burst({ count: 3 })
    await next.stop()
    assert.deepEqual(log.codes(), ['SNAPSHOT_IGNORED'])
    await using last = await startRevision(2, { store, log })
    assert.equal((await last.vault('a').look()).state.balance, 6)
    assert.deepEqual(log.codes(), ['SNAPSHOT_IGNORED'])
  })

  test('may be in its own store', async () => {
    const [events, snapshots] = [watched(), watched()]
    const both = { store: memory(), events: events.store, snapshots: snapshots.store, snapshotEvery: 2 }
    const before = await startVaults(both)
    await before.vault('a').burst({ count: 3 })
    await before.stop()
    assert.equal(events.count('saveSnapshot'), 0)
    assert.deepEqual(snapshotsOf(snapshots.calls), [3])
    assert.equal(snapshots.count('append'), 0)
    await using after = await startVaults(both)
    assert.equal((await after.vault('a').look()).state.balance, 3)
    assert.ok(snapshots.count('loadSnapshot') > 0)
  })

  test('is kept in the number that snapshotsKept gives', async () => {
    const watch = watched()
    const vaults = await startVaults({ store: watch.store, snapshotEvery: 1, limits: { snapshotsKept: 3 } })
    for (let i = 1; i <= 6; i++) await vaults.vault('a').add({ amount: i })
    await vaults.stop()
    await withStore(watch, async (store) => {
      assert.equal((await store.loadSnapshot(stream, { atOrBefore: 4 }))?.sequence, 4)
      assert.equal(await store.loadSnapshot(stream, { atOrBefore: 3 }), undefined)
    })
  })
})

test('the state is the same live, from a snapshot, from a snapshot and events, and from events', async () => {
  const step = fc.oneof(
    fc.record({ name: fc.constant('add' as const), amount: fc.integer({ min: -5, max: 50 }) }),
    fc.record({ name: fc.constant('take' as const), amount: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ name: fc.constant('burst' as const), amount: fc.integer({ min: 0, max: 7 }) }),
  )
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 30 }),
    fc.integer({ min: 1, max: 8 }),
    async (steps, n) => {
      const watch = watched()
      const live = await startVaults({ store: watch.store, snapshotEvery: n })
      const states: unknown[] = [(await live.vault('a').look()).state]
      for (const { name, amount } of steps) {
        const vault = live.vault('a')
        if (name === 'burst') await vault.burst({ count: amount })
        else await vault.try[name]({ amount })
        for (let at = states.length; at <= (await vault.look()).sequence; at++)
          states.push(await vault.state({ sequence: at }))
      }
      const state = (await live.vault('a').look()).state
      await live.stop()
      for (const snapshotEvery of [n, undefined]) {
        await using again = await startVaults({ store: watch.store, ...(snapshotEvery && { snapshotEvery }) })
        assert.deepEqual((await again.vault('a').look()).state, state)
        for (const [sequence, then] of states.entries()) {
          assert.deepEqual(await again.vault('a').state({ sequence }), then)
        }
      }
    },
  )
  await fc.assert(property, { numRuns: 60 })
})

test('the state at a sequence uses the newest snapshot at or before it', async () => {
  const watch = watched()
  await using vaults = await startVaults({ store: watch.store, snapshotEvery: 10, limits: { snapshotsKept: 10 } })
  for (let i = 0; i < 35; i++) await vaults.vault('a').add({ amount: 1 })
  await until('three snapshots are saved', () => snapshotsOf(watch.calls).length === 3)
  watch.forget()
  assert.equal((await vaults.vault('a').state({ sequence: 24 })).balance, 24)
  const ranges = watch.calls.filter(({ method }) => method === 'readStream').map(({ args }) => args[1])
  assert.deepEqual(ranges, [{ from: 20, to: 25 }])
})
