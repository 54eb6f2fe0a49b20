/**
 * Each call to the store fails once (`every-call.ts`). Whatever happens between a handler and its checkpoint, nothing
 * may be lost, doubled, swapped or torn.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { domain, projection } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { logOf, recorder } from '../support/kernel/rig.ts'
import { checkBoxes, deliverAll, deliveryDomain, type RunningDelivery } from '../support/read-side/boxes.ts'
import { everyCall, inTime, pass, quiet, starting } from '../support/read-side/every-call.ts'
import {
  checkRows,
  foldOf,
  Pot,
  Put,
  type RunningRows,
  rowsOf,
  startRows,
  withStore,
} from '../support/read-side/pots.ts'

describe('The rows of a projection equal the fold of the log', () => {
  everyCall('though it is interrupted', 20, async ({ faulty, plain, environment }) => {
    await using writer = await startRows({ store: plain, environment })
    const options = { store: faulty, environment, projections: 'automatic' } as const
    const running = await starting(() => startRows(options))
    for (let round = 0; round < 3; round++) {
      for (const id of ['a', 'b']) await writer.pot(id).fill({ amounts: [10 * round + 1, 10 * round + 2] })
      await writer.pot('a').put({ amount: 10 * round + 3, keys: ['a', 'c'] })
      await writer.pot('a').rustle({ times: 2 })
      await pass(environment)
    }
    await running?.stop().catch(quiet)
    await writer.projections.runOnce('rows')
    await checkRows(writer)
  })

  everyCall('though events are parked and retried meanwhile', 20, async ({ faulty, plain, environment }) => {
    const sick = new Set([2, 12])
    const options = { sick, environment, policy: { giveUp: 'park' } } as const
    await using writer = await startRows({ ...options, store: plain })
    const running = await starting(() => startRows({ ...options, store: faulty, projections: 'automatic' }))
    for (let round = 0; round < 3; round++) {
      for (const id of ['a', 'b']) await writer.pot(id).fill({ amounts: [10 * round + 1, 10 * round + 2] })
      await writer.pot('a').put({ amount: 10 * round + 3, keys: ['a', 'c'] })
      await pass(environment)
      if (round === 1) sick.delete(2)
      await running?.projections.retryParked('rows').catch(quiet)
    }
    await running?.stop().catch(quiet)
    await pass(environment)
    await writer.projections.runOnce('rows')
    const parked = (await writer.projections.parked('rows')).length
    assert.ok(parked > 0)
    sick.clear()
    assert.deepEqual(await writer.projections.retryParked('rows'), { handled: parked, parked: 0 })
    await checkRows(writer)
  })
})

/** The stored rows of a projection. */
const recordOf = (store: StoreFactory) =>
  withStore(store, async (opened) => {
    const [record] = await opened.loadRows('generations rows', ['generations'])
    return record as unknown as { readonly building?: unknown; readonly retired: readonly unknown[] } | undefined
  })

const negative = (amount: number) => -amount

describe('A rebuild leaves the rows as they are, or switches to all of the new ones', () => {
  const rebuilds = async (running: RunningRows): Promise<boolean> =>
    running.projections.rebuild('rows').then(
      () => true,
      (error) => {
        quiet(error)
        return false
      },
    )

  everyCall('when it is asked for', 15, async ({ faulty, plain, environment }) => {
    await using writer = await startRows({ store: plain, environment })
    for (const id of ['a', 'b', 'c']) await writer.pot(id).fill({ amounts: [1, 2, 3] })
    await writer.projections.runOnce('rows')
    const old = await rowsOf(writer)
    const options = { environment, change: negative, log: recorder() }
    const running = await starting(() => startRows({ ...options, store: faulty }))
    const isDone = running !== undefined && (await rebuilds(running))
    const next = foldOf(await logOf(plain), negative)
    await running?.stop().catch(quiet)
    const rows = await rowsOf(writer)
    assert.deepEqual(rows, isDone || rows['a']?.[0] === -1 ? next : old)
    await using follower = await startRows({ ...options, store: plain })
    // Until the lease of the dead process has expired.
    await pass(environment)
    await follower.projections.runOnce('rows')
    const record = await recordOf(plain)
    assert.ok(record === undefined || (record.building === undefined && record.retired.length === 0))
    assert.deepEqual(await rowsOf(follower), rows)
    assert.ok(await rebuilds(follower))
    assert.deepEqual(await rowsOf(follower), next)
  })

  everyCall('when the revision was raised', 15, async ({ faulty, plain, environment }) => {
    const writer = await startRows({ store: plain, environment })
    for (const id of ['a', 'b', 'c']) await writer.pot(id).fill({ amounts: [1, 2, 3] })
    await writer.projections.runOnce('rows')
    await writer.stop()
    const options = { environment, change: negative, revision: 2, projections: 'automatic', log: recorder() } as const
    const running = await starting(() => startRows({ ...options, store: faulty }))
    await pass(environment)
    await running?.stop().catch(quiet)
    await using follower = await startRows({ ...options, store: plain })
    await pass(environment)
    await follower.pot('a').put({ amount: 4 })
    await pass(environment)
    await checkRows(follower, negative)
    assert.deepEqual((await recordOf(plain))?.retired, [])
  })
})

describe('A projection as code without transactions handles everything at least once, in order', () => {
  everyCall('though it is interrupted', 15, async ({ faulty, plain, environment }) => {
    const seen: number[] = []
    const Seeing = projection('seeing').handle([Put], (events) => {
      for (const { data } of events) seen.push(data.amount)
    })
    const Pots = domain({ aggregates: { pot: Pot }, projections: { seeing: Seeing } })
    const options = { environment, log: recorder() }
    await using writer = await Pots.start({ ...options, store: plain, projections: 'manual' })
    const running = await starting(() => Pots.start({ ...options, store: faulty }))
    for (let round = 0; round < 4; round++) {
      await writer.pot('a').fill({ amounts: [3 * round, 3 * round + 1, 3 * round + 2] })
      await pass(environment)
    }
    await running?.stop().catch(quiet)
    await writer.projections.runOnce('seeing')
    const all = Array.from({ length: 12 }, (_, i) => i)
    assert.deepEqual([...new Set(seen)], all, 'each is seen, for the first time in order')
    assert.ok(seen.length <= 2 * all.length, 'and hardly any of them again')
  })
})

describe('A reaction sends each command once, each scheduled one once, and keeps the right state', () => {
  const putAll = async (writer: RunningDelivery, round: number) => {
    for (const id of ['a', 'b']) await writer.pot(id).fill({ amounts: [10 * round + 1, 10 * round + 2] })
  }
  everyCall('though it is interrupted', 40, async ({ faulty, plain, environment }) => {
    const options = { environment, log: recorder() }
    await using writer = await deliveryDomain().start({ ...options, store: plain, projections: 'manual' })
    const running = await starting(() => deliveryDomain().start({ ...options, store: faulty }))
    for (let round = 0; round < 2; round++) {
      await putAll(writer, round)
      await pass(environment)
    }
    await running?.stop().catch(quiet)
    await deliverAll(writer, environment)
    await checkBoxes(writer)
  })

  everyCall('though events are parked and retried meanwhile', 40, async ({ faulty, plain, environment }) => {
    const sick = new Set([2, 12])
    const definition = deliveryDomain({ sick, policy: { retries: 1, giveUp: 'park' } })
    const options = { environment, log: recorder() }
    await using writer = await definition.start({ ...options, store: plain, projections: 'manual' })
    const running = await starting(() => definition.start({ ...options, store: faulty }))
    for (let round = 0; round < 2; round++) {
      await putAll(writer, round)
      await pass(environment)
      if (round === 0) sick.delete(2)
      if (running !== undefined) await inTime(environment, running.reactions.retryParked('delivery').catch(quiet))
    }
    sick.clear()
    await running?.stop().catch(quiet)
    await deliverAll(writer, environment)
    await writer.reactions.retryParked('delivery')
    assert.deepEqual(await writer.reactions.parked('delivery'), [])
    await deliverAll(writer, environment)
    await checkBoxes(writer)
  })
})
