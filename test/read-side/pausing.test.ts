/** A pause holds in every process and over restarts, and nothing is saved once it has returned. */
import assert from 'node:assert/strict'
import { hasCode } from '../../src/index.ts'
import { codesOf, until } from '../support/kernel/rig.ts'
import { checkRows, type RunningRows, rowsOf, type StartRows, startRows } from '../support/read-side/pots.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const statusOf = (pots: RunningRows) => pots.projections.status('rows')
const follow = (options: StartRows) => startRows({ projections: 'automatic', pollIntervalMs: 5, ...options })
const rests = (pots: RunningRows) => until('it rests', async () => (await statusOf(pots)).state === 'paused')

await onEveryStore('A pause', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  testHere('is for all processes, also for new ones, until any of them ends it', async (t) => {
    const store = await place(t)
    // Nobody can get the lease of one that keeps it.
    const first = await follow({ store, leaseMs: 3_600_000 })
    await until('it runs', async () => (await statusOf(first)).state === 'running')
    await using outside = await startRows({ store })
    await outside.projections.pause('rows')
    await outside.projections.pause('rows')
    const { position } = await outside.pot('a').put({ amount: 1 })
    await using second = await follow({ store, leaseMs: 3_600_000 })
    for (const pots of [first, second]) await rests(pots)
    await first.stop()
    await using third = await follow({ store })
    await rests(third)
    for (const pots of [second, third, outside]) {
      const { pausedSince, position: here } = await statusOf(pots)
      assert.ok(pausedSince instanceof Date)
      assert.equal(here, 0)
      const behind = await pots.rows.get('a', { atLeast: position, timeoutMs: 1 }).catch((error: unknown) => error)
      assert.ok(hasCode(behind, 'PROJECTION_BEHIND'))
    }
    const error = await third.rows.get('a', { atLeast: position, timeoutMs: 1 }).catch((error: unknown) => error)
    assert.match(String(error), /it is paused since \d{4}-.*, until somebody resumes it/)
    for (const pots of [outside, third]) {
      assert.deepEqual(await codesOf([pots.projections.runOnce('rows')]), ['PROJECTION_PAUSED'])
    }
    await third.projections.resume('rows')
    await third.projections.resume('rows')
    // Who has refused a run meanwhile has not failed.
    assert.equal((await statusOf(third)).failure, undefined)
    for (const pots of [second, third, outside]) assert.deepEqual(await rowsOf(pots, position), { a: [1] })
    assert.equal((await statusOf(outside)).pausedSince, undefined)
  })

  testHere('stops a leader elsewhere in the middle of its work, and what it has not saved is done later', async (t) => {
    const store = await place(t)
    await using outside = await startRows({ store })
    const amounts = Array.from({ length: 40 }, (_, i) => i)
    await using leading = await follow({ store, leaseMs: 3_600_000 })
    for (let round = 0; round < 3; round++) {
      const { position } = await outside.pot('a').fill({ amounts: amounts.map((amount) => 100 * round + amount) })
      await until('it has begun', async () => (await statusOf(outside)).position > 0)
      await outside.projections.pause('rows')
      // A new look at what is stored.
      const { position: reached } = await statusOf(outside)
      await outside.pot('b').fill({ amounts: amounts.map((amount) => 1000 + 100 * round + amount) })
      await rests(leading)
      assert.equal((await statusOf(outside)).position, reached)
      await outside.projections.resume('rows')
      await rowsOf(leading, position)
    }
    await rowsOf(leading, await outside.head())
    await checkRows(leading)
  })

  testHere('lets any process decide about parked events and build rows again', async (t) => {
    const [store, sick] = [await place(t), new Set([2, 3])]
    const options = { store, sick, policy: { giveUp: 'park' } } as const
    // An idle leader notices when it renews its lease.
    await using leading = await follow({ ...options, leaseMs: 400 })
    const { position } = await leading.pot('a').fill({ amounts: [1, 2] })
    await leading.pot('b').put({ amount: 3 })
    await rowsOf(leading, position + 1)
    await using outside = await startRows(options)
    await outside.projections.pause('rows')
    await rests(leading)
    await until('nobody has the lease', async () => {
      const [code] = await codesOf([outside.projections.skipParked('rows', 3)])
      return code !== 'PROJECTION_ELSEWHERE'
    })
    sick.clear()
    assert.deepEqual(await outside.projections.retryParked('rows'), { handled: 1, parked: 0 })
    assert.deepEqual(await rowsOf(outside), { a: [1, 2] })
    await outside.projections.rebuild('rows')
    const { position: last } = await outside.pot('a').put({ amount: 4 })
    await rests(leading)
    assert.deepEqual((await outside.rows.get('a'))?.amounts, [1, 2])
    await outside.projections.resume('rows')
    assert.deepEqual((await leading.rows.get('a', { atLeast: last }))?.amounts, [1, 2, 4])
  })
})
