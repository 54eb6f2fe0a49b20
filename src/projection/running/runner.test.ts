/** Running projections: what they handle and keep, when they wake, and where they stop. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { codesOf, recorder, settled, stands, startVaults, until, watched } from '../../../test/support/kernel/rig.ts'
import { Added, Taken, Vault } from '../../../test/support/kernel/vault.ts'
import { domain, memory, ProjectionError, projection, type StartOptions } from '../../index.ts'
import type { StoreFactory } from '../../store/store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

/** The stored checkpoint. */
async function checkpointOf(factory: StoreFactory, name: string): Promise<number> {
  const store = await factory.open({ now: () => 0, warn: () => {} })
  const { position } = await store.loadCheckpoint(name)
  await store.close()
  return position
}

/** Rows that fail on an amount of 13. */
const Picky = projection('picky', () => ({ sum: 0 })).on(Added, ({ sum }, { amount }) => {
  if (amount === 13) throw new RangeError('unlucky')
  return { sum: sum + amount }
})

/** A projection that handles only amounts that are taken. */
const Losses = projection('losses', () => ({ taken: 0 })).on(Taken, ({ taken }, { amount }) => ({
  taken: taken + amount,
}))

const start = (options: StartOptions) =>
  domain({ aggregates: { vault: Vault }, projections: { picky: Picky, losses: Losses } }).start({
    projections: 'manual',
    log: recorder(),
    ...options,
  })

describe('Running once', () => {
  test('handles the events in the log, and says how far it came', async () => {
    const store = memory()
    await using vaults = await startVaults({ store })
    await vaults.vault('a').add({ amount: 1 })
    await vaults.vault('b').burst({ count: 3 })
    assert.deepEqual(await vaults.projections.runOnce('totals'), { position: 4, events: 4 })
    assert.deepEqual(await vaults.totals.get('b'), { balance: 3, events: 3 })
    assert.equal(await vaults.totals.get('c'), undefined)
    assert.equal(await checkpointOf(store, 'totals'), 4)
    assert.deepEqual(await vaults.projections.runOnce('totals'), { position: 4, events: 0 })
  })

  test('continues from the checkpoint, also after a restart, and keeps the rows', async () => {
    const watch = watched()
    const first = await startVaults({ store: watch.store })
    await first.vault('a').burst({ count: 3 })
    await first.projections.runOnce('totals')
    await first.stop()
    watch.forget()
    await using second = await startVaults({ store: watch.store })
    assert.deepEqual(await second.totals.get('a'), { balance: 3, events: 3 })
    await second.vault('a').add({ amount: 7 })
    assert.deepEqual(await second.projections.runOnce('totals'), { position: 4, events: 1 })
    assert.deepEqual(await second.totals.get('a'), { balance: 10, events: 4 })
    const [reading] = watch.calls.filter(({ method }) => method === 'readAll')
    assert.equal((reading!.args[0] as { from: number }).from, 4)
  })

  test('moves the checkpoint past events that it does not handle', async () => {
    const store = memory()
    await using vaults = await start({ store })
    await vaults.vault('a').burst({ count: 5 })
    assert.deepEqual(await vaults.projections.runOnce('losses'), { position: 5, events: 0 })
    assert.equal(await checkpointOf(store, 'losses'), 5)
  })

  test('writes many events in few steps', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    for (let i = 0; i < 5; i++) await vaults.vault(`v${i}`).burst({ count: 900 })
    assert.deepEqual(await vaults.projections.runOnce('totals'), { position: 4500, events: 4500 })
    // The first one takes over. A step ends with a commit, and the next one is twice as large.
    assert.equal(watch.count('saveStep'), 3)
    assert.deepEqual(await vaults.totals.get('v3'), { balance: 900, events: 900 })
  })

  test('stops before an event that fails, keeps those before it, and continues after the function is fixed', async () => {
    const store = memory()
    await using vaults = await start({ store })
    for (const amount of [1, 2, 13, 4]) await vaults.vault('a').add({ amount })
    for (let i = 0; i < 2; i++) {
      await assert.rejects(vaults.projections.runOnce('picky'), (error) => {
        assert.ok(error instanceof ProjectionError)
        assert.deepEqual(error.facts, { projection: 'picky', position: 3, event: 'Added' })
        assert.ok(error.cause instanceof RangeError)
        return error.code === 'PROJECTION_FAILED'
      })
      assert.equal(await checkpointOf(store, 'picky'), 2)
      assert.deepEqual(await vaults.picky.get('a'), { sum: 3 })
    }
    const Fixed = projection('picky', () => ({ sum: 0 })).on(Added, ({ sum }, { amount }) => ({ sum: sum + amount }))
    await using mended = await domain({ aggregates: { vault: Vault }, projections: { picky: Fixed } }).start({
      store,
      projections: 'manual',
    })
    assert.deepEqual(await mended.projections.runOnce('picky'), { position: 4, events: 2 })
    assert.deepEqual(await mended.picky.get('a'), { sum: 20 })
  })

  test('skips an event that fails, if the policy says so, with a warning', async () => {
    const store = memory()
    const log = recorder()
    const Lenient = Picky.onFailure({ giveUp: 'skip' })
    const definition = domain({ aggregates: { vault: Vault }, projections: { picky: Lenient } })
    await using vaults = await definition.start({ store, log, projections: 'manual' })
    for (const amount of [1, 13, 2, 13, 13, 4]) await vaults.vault('a').add({ amount })
    assert.deepEqual(await vaults.projections.runOnce('picky'), { position: 6, events: 3 })
    assert.deepEqual(await vaults.picky.get('a'), { sum: 7 })
    assert.deepEqual(log.codes(), ['PROJECTION_SKIPPED', 'PROJECTION_SKIPPED', 'PROJECTION_SKIPPED'])
    assert.equal(await checkpointOf(store, 'picky'), 6)
    assert.throws(() => Picky.onFailure({ giveUp: 'cry' as never }), { code: 'OPTION_INVALID' })
  })

  test('moves the checkpoint past unhandled events before an event that fails', async () => {
    const store = memory()
    await using vaults = await start({ store })
    await vaults.vault('a').burst({ count: 1 })
    await vaults.projections.runOnce('picky')
    await vaults.vault('a').take({ amount: 1 })
    await vaults.vault('a').add({ amount: 13 })
    assert.deepEqual(await codesOf([vaults.projections.runOnce('picky')]), ['PROJECTION_FAILED'])
    assert.equal(await checkpointOf(store, 'picky'), 2)
  })

  const misfits: Record<string, ReturnType<typeof misfit>> = {
    'a row that cannot be stored': misfit(() => ({ sum: () => 0 })),
    'a row with an empty key': misfit(
      ({ sum }) => ({ sum }),
      () => '',
    ),
    'a row whose key is no text': misfit(
      ({ sum }) => ({ sum }),
      () => 7 as never,
    ),
    'a key that cannot be found': misfit(
      ({ sum }) => ({ sum }),
      () => {
        throw new Error('no key')
      },
    ),
  }
  function misfit(evolve: (row: { sum: unknown }) => { sum: unknown }, key?: () => string) {
    const rows = projection('misfit', () => ({ sum: 0 as unknown })).on(Taken, evolve)
    return key === undefined ? rows : rows.by(key)
  }
  for (const [what, rows] of Object.entries(misfits)) {
    test(`stops before an event that leads to ${what}`, async () => {
      await using vaults = await domain({ aggregates: { vault: Vault }, projections: { rows } }).start({
        projections: 'manual',
        log: recorder(),
      })
      await vaults.vault('a').add({ amount: 1 })
      await vaults.vault('a').take({ amount: 1 })
      await assert.rejects(vaults.projections.runOnce('rows'), (error) => {
        assert.ok(error instanceof ProjectionError && error.code === 'PROJECTION_FAILED')
        assert.equal((error.facts as { position: number }).position, 2)
        return true
      })
    })
  }

  test('stops before an event that can no longer be read', async () => {
    const Strict = Added.revise(z.object({ amount: z.number().max(5) }), (before) => before)
    const Rows = projection('rows', () => ({ sum: 0 })).on(Strict, ({ sum }, { amount }) => ({ sum: sum + amount }))
    await using vaults = await domain({ aggregates: { vault: Vault }, projections: { rows: Rows } }).start({
      projections: 'manual',
      log: recorder(),
    })
    for (const amount of [2, 3, 6]) await vaults.vault('a').add({ amount })
    assert.deepEqual(await codesOf([vaults.projections.runOnce('rows')]), ['PROJECTION_FAILED'])
    assert.deepEqual(await vaults.rows.get('a'), { sum: 5 })
  })

  test('keeps rows of any shape, with dates and empty values, and deletes rows', async () => {
    const Rows = projection('rows', () => undefined as { at: Date; last: number | null } | null | undefined)
      .on(Added, (row, { amount }, { recordedAt }) => (row === null ? row : { at: recordedAt, last: amount || null }))
      .on(Taken, (_, { amount }) => (amount === 0 ? null : undefined))
    const environment = manualEnvironment()
    await using vaults = await domain({ aggregates: { vault: Vault }, projections: { rows: Rows } }).start({
      projections: 'manual',
      environment,
    })
    const [a, b, c] = ['a', 'b', 'c'].map((id) => vaults.vault(id))
    await Promise.all([a!.add({ amount: 0 }), b!.add({ amount: 5 }), c!.add({ amount: 5 })])
    await Promise.all([b!.take({ amount: 5 }), c!.take({ amount: 0 })])
    await c!.add({ amount: 1 })
    await vaults.projections.runOnce('rows')
    assert.deepEqual(await vaults.rows.get('a'), { at: new Date(environment.now()), last: null })
    assert.equal(await vaults.rows.get('b'), undefined)
    assert.equal(await vaults.rows.get('c'), null)
  })

  test('many times at once, in one process and in several, handles nothing twice', async () => {
    const store = memory()
    await using one = await startVaults({ store })
    await using two = await startVaults({ store })
    for (let round = 1; round <= 4; round++) {
      for (let i = 0; i < 3; i++) await one.vault(`v${i}`).burst({ count: 700 })
      const runs = [one, two, one, two, one].map((vaults) => vaults.projections.runOnce('totals'))
      const results = await Promise.all(runs)
      assert.ok(results.some(({ position }) => position === round * 2100))
      for (let i = 0; i < 3; i++) {
        assert.deepEqual(await one.totals.get(`v${i}`), { balance: 700 * round, events: 700 * round })
      }
    }
  })

  test('an unknown projection is refused', async () => {
    await using vaults = await startVaults()
    await assert.rejects(vaults.projections.runOnce('rows' as never), { code: 'PROJECTION_UNKNOWN' })
  })
})

describe('Following the log', () => {
  const following = (options: StartOptions = {}) => startVaults({ projections: 'automatic', ...options })

  test('lets readers read their writes: a reader waits until the position is handled', async () => {
    await using vaults = await following()
    for (let i = 1; i <= 20; i++) {
      const { position } = await vaults.vault('a').add({ amount: 1 })
      assert.deepEqual(await vaults.totals.get('a', { atLeast: position }), { balance: i, events: i })
    }
  })

  test('is woken by the store’s hint, without waiting for the poll', async () => {
    const environment = manualEnvironment()
    await using vaults = await following({ environment })
    await settled()
    const { position } = await vaults.vault('a').add({ amount: 1 })
    assert.deepEqual(await vaults.totals.get('a', { atLeast: position }), { balance: 1, events: 1 })
  })

  test('finds by its poll an event without a hint', async () => {
    const watch = watched()
    watch.disturb(({ method }) => (method === 'onAppend' ? 'before' : undefined))
    const environment = manualEnvironment()
    await using vaults = await following({ store: watch.store, environment, pollIntervalMs: 700 })
    await settled()
    const { position } = await vaults.vault('a').add({ amount: 1 })
    const reading = vaults.totals.get('a', { atLeast: position })
    await environment.advance(699)
    assert.equal(await stands(reading), 'pending')
    await environment.advance(1)
    assert.deepEqual(await reading, { balance: 1, events: 1 })
  })

  test('does not read the log again and again while nothing happens', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await following({ store: watch.store, environment, pollIntervalMs: 1000 })
    await environment.advance(0)
    assert.equal(vaults.load().liveAggregates, 0)
    watch.forget()
    await environment.advance(10_000)
    assert.ok(watch.count('head') <= 10, 'once in each interval')
    assert.ok(watch.count('readAll') <= 3, 'only when the lease is due')
    assert.equal(watch.count('saveStep'), 0)
  })

  test('lets a reader wait no longer than its time limit', async () => {
    const environment = manualEnvironment()
    await using vaults = await following({ environment })
    const reading = vaults.totals.get('a', { atLeast: 5, timeoutMs: 300 })
    const expectation = assert.rejects(reading, (error) => {
      assert.ok(error instanceof ProjectionError && error.retryable)
      assert.deepEqual(error.facts, { projection: 'totals', position: 0, atLeast: 5, waitedMs: 300 })
      return error.code === 'PROJECTION_BEHIND'
    })
    await environment.advance(300)
    await expectation
    const controller = new AbortController()
    const aborted = vaults.totals.get('a', { atLeast: 5, signal: controller.signal })
    controller.abort(new Error('gone'))
    await assert.rejects(aborted, { message: 'gone' })
  })

  test('warns, and fails waiting readers at once, when it stops at a bad event; the rows can still be read', async () => {
    const log = recorder()
    await using vaults = await start({ projections: 'automatic', log })
    const early = vaults.picky.get('a', { atLeast: 3 })
    for (const amount of [1, 13]) await vaults.vault('a').add({ amount })
    assert.deepEqual(await codesOf([early]), ['PROJECTION_FAILED'])
    assert.deepEqual(await codesOf([vaults.picky.get('a', { atLeast: 2 })]), ['PROJECTION_FAILED'])
    assert.deepEqual(await vaults.picky.get('a', { atLeast: 1 }), { sum: 1 })
    assert.deepEqual(log.codes(), ['PROJECTION_STOPPED'])
    const { position } = await vaults.vault('a').take({ amount: 13 })
    assert.deepEqual(await vaults.losses.get('a', { atLeast: position }), { taken: 13 }, 'the other goes on')
  })

  test('recovers from a store that fails for a while, and handles nothing twice', async () => {
    for (const fault of ['before', 'after'] as const) {
      const watch = watched()
      const environment = manualEnvironment()
      await using vaults = await following({ store: watch.store, environment })
      await vaults.vault('a').add({ amount: 1 })
      for (const method of ['readAll', 'loadRows', 'saveStep', 'loadCheckpoint']) {
        let failures = 3
        watch.disturb((call) => (call.method === method && failures-- > 0 ? fault : undefined))
        await vaults.vault('a').add({ amount: 1 })
        await environment.advance(60_000)
        watch.disturb(() => undefined)
        await environment.advance(60_000)
      }
      assert.deepEqual(await vaults.totals.get('a', { atLeast: 5 }), { balance: 5, events: 5 })
    }
  })

  test('warns once that a store delays it, and again only after it has continued', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    const log = recorder()
    await using vaults = await following({ store: watch.store, environment, log })
    for (let outage = 1; outage <= 2; outage++) {
      let failures = 4
      watch.disturb(({ method }) => (method === 'readAll' && failures-- > 0 ? 'before' : undefined))
      const { position } = await vaults.vault('a').add({ amount: 1 })
      await environment.advance(60_000)
      assert.deepEqual(await vaults.totals.get('a', { atLeast: position }), { balance: outage, events: outage })
    }
    assert.equal(log.codes().filter((code) => code === 'PROJECTION_DELAYED').length, 2)
  })

  test('by several processes at once handles nothing twice', async () => {
    const store = memory()
    const many = await Promise.all([following({ store }), following({ store }), following({ store })])
    const sent = Array.from({ length: 300 }, (_, i) => many[i % 3]!.vault(`v${i % 4}`).add({ amount: 1 }))
    const outcomes = await Promise.all(sent)
    const atLeast = Math.max(...outcomes.map(({ position }) => position))
    for (const vaults of many) {
      for (let i = 0; i < 4; i++) {
        assert.deepEqual(await vaults.totals.get(`v${i}`, { atLeast }), { balance: 75, events: 75 })
      }
    }
    for (const vaults of many) await vaults.stop()
    assert.equal(await checkpointOf(store, 'totals'), 300)
  })

  test('is not disturbed by a single run', async () => {
    await using vaults = await following()
    for (let i = 1; i <= 30; i++) {
      const { position } = await vaults.vault('a').add({ amount: 1 })
      await Promise.all([vaults.projections.runOnce('totals'), vaults.projections.runOnce('totals')])
      assert.deepEqual(await vaults.totals.get('a', { atLeast: position }), { balance: i, events: i })
    }
  })

  test('saves how far it came when it stops, and ends the waits of its readers', async () => {
    const store = memory()
    const vaults = await start({ store, projections: 'automatic' })
    const { position } = await vaults.vault('a').burst({ count: 5 })
    await until('the losses have passed over everything', () =>
      vaults.losses.get('a', { atLeast: position }).then(() => true),
    )
    const waiting = codesOf([vaults.losses.get('a', { atLeast: 99 })])
    await vaults.stop()
    assert.deepEqual(await waiting, ['STOPPED'])
    assert.deepEqual(await codesOf([vaults.losses.get('a', { atLeast: 99 })]), ['STOPPED'])
    assert.equal(await checkpointOf(store, 'losses'), 5)
  })
})
