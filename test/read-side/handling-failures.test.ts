/**
 * An event that a projection with rows cannot fold, on every store: it is tried again, and then the projection stops,
 * skips it, or parks it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConflictError } from '../../src/index.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, recorder, settled, until } from '../support/kernel/rig.ts'
import { checkRows, type RunningRows, rowsOf, startRows } from '../support/read-side/pots.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const somewhere = { position: 0, term: 0 }
const conflict = new ConflictError('CHECKPOINT_CONFLICT', {
  projection: 'rows',
  expected: somewhere,
  actual: somewhere,
})

/** Amounts that cannot be folded, with the number of attempts. */
class Sickness extends Set<number> {
  tries = 0

  override has(amount: number): boolean {
    const isSick = super.has(amount)
    if (isSick) this.tries++
    return isSick
  }
}

const statusOf = (pots: RunningRows) => pots.projections.status('rows')
const putAll = async (pots: RunningRows, id: string, amounts: readonly number[]) => {
  for (const amount of amounts) await pots.pot(id).put({ amount })
}
const summary = async (pots: RunningRows) =>
  (await pots.projections.parked('rows')).map(({ position, type, keys }) => ({ position, type, keys }))

await onEveryStore('An event that cannot be folded', ({ place }) => {
  test('is tried again as often as the policy says, after pauses that grow, and then the projection stops', async (t) => {
    const [environment, log, sick] = [manualEnvironment(), recorder(), new Sickness([2])]
    const policy = { retries: 3, pauseFirstMs: 1000, pauseMaxMs: 1500 }
    // A pause is a random time between a half of its length and all of it. Here it is always a half.
    const least = { ...environment, random: () => 0 }
    await using pots = await startRows({ store: await place(t), environment: least, log, sick, policy })
    await pots.pot('a').fill({ amounts: [1, 2, 3] })
    const others = environment.timers
    await pots.projections.start('rows')
    for (const [i, pauseMs] of [500, 750, 750].entries()) {
      await until('it pauses', () => sick.tries === i + 1 && environment.timers > others)
      await environment.advance(pauseMs - 1)
      await settled()
      assert.equal(sick.tries, i + 1)
      await environment.advance(1)
    }
    await until('it was tried for the last time', () => sick.tries === 4)
    await until('it has failed', async () => (await statusOf(pots)).state === 'failed')
    const { position, failure } = await statusOf(pots)
    assert.deepEqual([position, failure?.facts], [1, { projection: 'rows', position: 2, event: 'Put' }])
    assert.ok(failure?.cause instanceof RangeError)
    assert.deepEqual(await codesOf([pots.rows.get('a', { atLeast: 2 })]), ['PROJECTION_FAILED'])
    assert.deepEqual([await rowsOf(pots), log.codes()], [{ a: [1] }, ['PROJECTION_RETRIED', 'PROJECTION_STOPPED']])
    sick.clear()
    await pots.projections.start('rows')
    assert.deepEqual(await rowsOf(pots, 3), { a: [1, 2, 3] })
  })

  test('that can be folded at a later try is folded like any other', async (t) => {
    const [environment, log, sick] = [manualEnvironment(), recorder(), new Sickness([2])]
    const options = { environment, log, sick, policy: { retries: 9, giveUp: 'skip' } as const }
    await using pots = await startRows({ store: await place(t), ...options, projections: 'automatic' })
    await putAll(pots, 'a', [1, 2, 3])
    await until('it was tried again', async () => {
      await environment.advance(100)
      return sick.tries > 2
    })
    sick.clear()
    await until('it has caught up', async () => {
      await environment.advance(100)
      return (await statusOf(pots)).lag.events === 0
    })
    // It is said again where the clock has outrun the store, and the lease with it.
    assert.deepEqual([await rowsOf(pots), new Set(log.codes())], [{ a: [1, 2, 3] }, new Set(['PROJECTION_RETRIED'])])
  })

  test('is skipped with a warning, and no other event is', async (t) => {
    const [log, sick] = [recorder(), new Sickness([2, 4, 5])]
    await using pots = await startRows({ store: await place(t), log, sick, policy: { giveUp: 'skip' } })
    await putAll(pots, 'a', [1, 2, 3, 4, 5, 6])
    assert.equal((await pots.projections.runOnce('rows')).position, 6)
    assert.deepEqual(await rowsOf(pots), { a: [1, 3, 6] })
    assert.deepEqual(log.codes(), ['PROJECTION_SKIPPED', 'PROJECTION_SKIPPED', 'PROJECTION_SKIPPED'])
  })

  for (const giveUp of ['stop', 'skip', 'park'] as const) {
    test(`is not given up because of a shutdown between two tries, with '${giveUp}'`, async (t) => {
      const [environment, log, sick, store] = [manualEnvironment(), recorder(), new Sickness([2]), await place(t)]
      const options = { store, environment, log, sick, policy: { retries: 5, giveUp } }
      const pots = await startRows({ ...options, projections: 'automatic' })
      await putAll(pots, 'a', [1, 2, 3])
      await until('it was tried', () => sick.tries > 0)
      await pots.stop()
      assert.deepEqual(log.codes(), ['PROJECTION_RETRIED'])
      sick.clear()
      await using again = await startRows({ ...options, projections: 'automatic' })
      assert.deepEqual(await rowsOf(again, 3), { a: [1, 2, 3] })
      assert.deepEqual(await again.projections.parked('rows'), [])
    })
  }

  test('blocks neither the status nor reads while it is tried again', async (t) => {
    const [environment, sick] = [manualEnvironment(), new Sickness()]
    const options = { environment, sick, policy: { retries: 1000, giveUp: 'park' } as const }
    await using pots = await startRows({ store: await place(t), ...options, projections: 'automatic' })
    await putAll(pots, 'a', [1])
    await rowsOf(pots, 1)
    sick.add(2)
    await putAll(pots, 'a', [2])
    await until('it was tried', () => sick.tries > 0)
    const { state, position, parked } = await statusOf(pots)
    assert.deepEqual([state, position, parked], ['running', 1, 0])
    assert.deepEqual(await pots.projections.parked('rows'), [])
    assert.deepEqual(await rowsOf(pots), { a: [1] })
    assert.deepEqual(await pots.rows.get('a'), { amounts: [1] })
    assert.equal(await pots.rows.get('b'), undefined)
  })
})

await onEveryStore('A parked event', ({ place }) => {
  test('keeps the events behind it in order, and does not delay the others', async (t) => {
    const [environment, log, sick] = [manualEnvironment(), recorder(), new Sickness([2])]
    const options = { environment, log, sick, policy: { giveUp: 'park' } as const }
    await using pots = await startRows({ store: await place(t), ...options })
    await putAll(pots, 'a', [1, 2, 3])
    await putAll(pots, 'b', [10, 11])
    assert.equal((await pots.projections.runOnce('rows')).position, 5)
    assert.deepEqual(await rowsOf(pots), { a: [1], b: [10, 11] })
    assert.deepEqual(log.codes(), ['PROJECTION_PARKED'])
    await putAll(pots, 'a', [4])
    await pots.projections.runOnce('rows')
    const common = {
      type: 'Put',
      stream: { aggregate: 'pot', id: 'a' },
      keys: ['a'],
      parkedAt: new Date(environment.now()),
    }
    const queues = 'it queues behind another event with the key a'
    assert.deepEqual(await pots.projections.parked('rows'), [
      { ...common, position: 2, reason: 'RangeError: sick of 2' },
      { ...common, position: 3, reason: queues },
      { ...common, position: 6, reason: queues },
    ])
    assert.equal((await statusOf(pots)).parked, 3)
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 0, parked: 3 })
    sick.clear()
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 3, parked: 0 })
    assert.deepEqual(await rowsOf(pots), { a: [1, 2, 3, 4], b: [10, 11] })
    await putAll(pots, 'a', [5])
    await pots.projections.runOnce('rows')
    await checkRows(pots)
  })

  test('is still parked after restarts, and still keeps the order', async (t) => {
    const [sick, store] = [new Sickness([2]), await place(t)]
    for (let start = 0; start < 3; start++) {
      await using pots = await startRows({ store, sick, policy: { giveUp: 'park' } })
      await putAll(pots, 'a', [3 * start + 1, 3 * start + 2, 3 * start + 3])
      await pots.projections.runOnce('rows')
      assert.deepEqual(await rowsOf(pots), { a: [1] })
      assert.equal((await pots.projections.parked('rows')).length, 3 * start + 2)
    }
    sick.clear()
    await using pots = await startRows({ store, sick, policy: { giveUp: 'park' } })
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 8, parked: 0 })
    await checkRows(pots)
  })

  test('with several keys makes events with any of them queue, and these make more events queue', async (t) => {
    const sick = new Sickness([1])
    await using pots = await startRows({ store: await place(t), sick, policy: { giveUp: 'park' } })
    const puts: readonly (readonly [number, readonly string[]])[] = [
      [1, ['a', 'b']],
      [2, ['c']],
      [3, ['b', 'c']],
      [4, ['c', 'd']],
      [5, ['e']],
      [6, ['d', 'e']],
      [7, ['f']],
    ]
    for (const [amount, keys] of puts) await pots.pot('p').put({ amount, keys: [...keys] })
    await pots.projections.runOnce('rows')
    assert.deepEqual(await rowsOf(pots), { c: [2], e: [5], f: [7] })
    assert.deepEqual(
      (await summary(pots)).map(({ position }) => position),
      [1, 3, 4, 6],
    )
    sick.clear()
    sick.add(4)
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 2, parked: 2 })
    assert.deepEqual(await rowsOf(pots), { a: [1], b: [1, 3], c: [2, 3], e: [5], f: [7] })
    sick.clear()
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 2, parked: 0 })
    await checkRows(pots)
  })

  test('can be skipped, and events that queue behind it are handled at the next retry; an unknown one cannot', async (t) => {
    const sick = new Sickness([2])
    await using pots = await startRows({ store: await place(t), sick, policy: { giveUp: 'park' } })
    await putAll(pots, 'a', [1, 2, 3])
    await pots.projections.runOnce('rows')
    for (const position of [1, 4, 0, -1]) {
      await assert.rejects(pots.projections.skipParked('rows', position), { code: 'PARKED_UNKNOWN' })
    }
    await pots.projections.skipParked('rows', 2)
    await assert.rejects(pots.projections.skipParked('rows', 2), { code: 'PARKED_UNKNOWN' })
    for (const none of [undefined, null, '1', Symbol('1')]) {
      await assert.rejects(pots.projections.skipParked('rows', none as never), { code: 'OPTION_INVALID' })
    }
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 1, parked: 0 })
    assert.deepEqual(await rowsOf(pots), { a: [1, 3] })
  })

  test('among many is retried in the order of the log, over several pages', async (t) => {
    const sick = new Sickness([0, 137])
    await using pots = await startRows({ store: await place(t), sick, policy: { giveUp: 'park' } })
    await pots.pot('a').fill({ amounts: Array.from({ length: 250 }, (_, i) => i) })
    await pots.projections.runOnce('rows')
    assert.equal((await pots.projections.parked('rows')).length, 250)
    sick.delete(0)
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 137, parked: 113 })
    sick.clear()
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 113, parked: 0 })
    await checkRows(pots)
  })

  test('counts in the result if it was handled before another process interrupted the retry', async (t) => {
    const sick = new Sickness([0])
    let retries = 0
    const store = faultyStore(await place(t), ({ method, args: [name] }) =>
      method === 'saveStep' && name === 'rows' && retries > 0 && ++retries === 4 ? conflict : undefined,
    )
    await using pots = await startRows({ store, sick, policy: { giveUp: 'park' } })
    await pots.pot('a').fill({ amounts: Array.from({ length: 250 }, (_, i) => i) })
    await pots.projections.runOnce('rows')
    sick.clear()
    retries = 1
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 250, parked: 0 })
    assert.ok(retries > 4, 'it was interrupted')
    await checkRows(pots)
  })

  for (const giveUp of ['stop', 'skip'] as const) {
    test(`keeps its order if the policy is now '${giveUp}'`, async (t) => {
      const [sick, store] = [new Sickness([2]), await place(t)]
      const before = await startRows({ store, sick, policy: { giveUp: 'park' } })
      await putAll(before, 'a', [1, 2])
      await before.projections.runOnce('rows')
      await before.stop()
      sick.clear()
      await using pots = await startRows({ store, sick, policy: { giveUp } })
      await putAll(pots, 'a', [3])
      await putAll(pots, 'b', [4])
      await pots.projections.runOnce('rows')
      assert.deepEqual(await rowsOf(pots), { a: [1], b: [4] })
      await pots.projections.retryParked('rows')
      await checkRows(pots)
    })
  }

  test('can be retried and skipped only in the process that runs the projection', async (t) => {
    const [sick, store] = [new Sickness([2]), await place(t)]
    await using pots = await startRows({ store, sick, policy: { giveUp: 'park' }, projections: 'automatic' })
    await putAll(pots, 'a', [1, 2, 3])
    await rowsOf(pots, 3)
    await pots.projections.stop('rows')
    sick.clear()
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 2, parked: 0 })
    await pots.projections.start('rows')
    await putAll(pots, 'a', [4])
    await rowsOf(pots, 4)
    await checkRows(pots)
  })
})
