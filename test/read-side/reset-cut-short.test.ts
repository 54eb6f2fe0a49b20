/**
 * A reset that ends in the middle, at any call (`every-call.ts`): everything is as before, or everything is deleted and
 * handled again from the new position. Nothing is handled beside rows, timers and parked events of which half are
 * deleted.
 */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { domain, hasCode, projection } from '../../src/index.ts'
import { recorder } from '../support/kernel/rig.ts'
import { checkBoxes, deliverAll, deliveryDomain } from '../support/read-side/boxes.ts'
import { everyCall, inTime, pass, quiet, starting } from '../support/read-side/every-call.ts'
import { checkRows, Pot, Put, Rustled, startRows } from '../support/read-side/pots.ts'

/** More rows than one step deletes. */
const many = Array.from({ length: 1200 }, (_, i) => `k${i}`)

describe('A reset of a projection that is cut short', () => {
  everyCall('leaves all rows, or none of them', 10, async ({ faulty, plain, environment }) => {
    await using writer = await startRows({ store: plain, environment })
    await writer.pot('a').put({ amount: 1, keys: many })
    for (const id of ['b', 'c']) await writer.pot(id).fill({ amounts: [2, 3] })
    await writer.projections.runOnce('rows')
    const running = await starting(() => startRows({ store: faulty, environment }))
    await running?.projections.reset('rows', { from: 1 }).catch(quiet)
    await running?.stop().catch(quiet)
    await writer.pot('b').put({ amount: 4 })
    await inTime(environment, writer.projections.runOnce('rows'))
    await checkRows(writer)
  })

  everyCall('with other events keeps the rows of the program before, or takes all of them over', 10, async (run) => {
    const { faulty, plain, environment } = run
    const options = { environment, projections: 'manual', log: recorder() } as const
    const Counts = projection('counts', () => 0).on(Put, (count) => count + 1)
    const old = await domain({ aggregates: { pot: Pot }, projections: { counts: Counts } }).start({
      ...options,
      store: plain,
    })
    for (const id of ['a', 'b', 'c']) await old.pot(id).fill({ amounts: [1, 2] })
    await old.pot('a').rustle({ times: 3 })
    await old.projections.runOnce('counts')
    await old.stop()
    const Next = domain({ aggregates: { pot: Pot }, projections: { counts: Counts.on(Rustled, (count) => count + 1) } })
    const running = await starting(() => Next.start({ ...options, store: faulty }))
    await running?.projections.reset('counts', { from: 1 }).catch(quiet)
    await running?.stop().catch(quiet)
    await using next = await Next.start({ ...options, store: plain })
    const isOld = await inTime(environment, next.projections.runOnce('counts')).then(
      () => false,
      (error) => hasCode(error, 'PROJECTION_CHANGED'),
    )
    if (!isOld) assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((id) => next.counts.get(id))), [5, 2, 2])
  })
})

describe('A reset of a reaction that is cut short', () => {
  everyCall(
    'leaves its states, timers and parked events, or none of them',
    12,
    async ({ faulty, plain, environment }) => {
      const sick = new Set([2])
      const definition = deliveryDomain({ sick, policy: { retries: 0, giveUp: 'park' } })
      const options = { environment, log: recorder(), projections: 'manual' } as const
      await using writer = await definition.start({ ...options, store: plain })
      for (const id of ['a', 'b']) await writer.pot(id).fill({ amounts: [1, 2] })
      await writer.reactions.runOnce('delivery')
      sick.clear()
      const running = await starting(() => definition.start({ ...options, store: faulty }))
      await running?.reactions.reset('delivery', { from: 1 }).catch(quiet)
      await running?.stop().catch(quiet)
      await pass(environment)
      await deliverAll(writer, environment)
      await writer.reactions.retryParked('delivery')
      for (const id of ['a', 'b']) await writer.pot(id).fill({ amounts: [3] })
      await deliverAll(writer, environment)
      assert.deepEqual(await writer.reactions.parked('delivery'), [])
      await checkBoxes(writer)
    },
  )
})

function seeing(sick: ReadonlySet<number>) {
  const seen: number[] = []
  const Seeing = projection('seeing')
    .handle([Put], (events) => {
      if (events.some(({ data }) => sick.has(data.amount))) throw new RangeError('sick')
      for (const { data } of events) seen.push(data.amount)
    })
    .onFailure({ retries: 0, giveUp: 'park' })
  return { Pots: domain({ aggregates: { pot: Pot }, projections: { seeing: Seeing } }), seen }
}

describe('A reset of a projection as code that is cut short', () => {
  everyCall('keeps the parked events, or handles them again', 10, async ({ faulty, plain, environment }) => {
    const sick = new Set([2, 3])
    const { Pots, seen } = seeing(sick)
    const options = { environment, log: recorder(), projections: 'manual' } as const
    await using writer = await Pots.start({ ...options, store: plain })
    for (const amount of [1, 2, 3, 4]) await writer.pot(`p${amount}`).put({ amount })
    await writer.projections.runOnce('seeing')
    const running = await starting(() => Pots.start({ ...options, store: faulty }))
    await running?.projections.reset('seeing', { from: 1 }).catch(quiet)
    await running?.stop().catch(quiet)
    await pass(environment)
    sick.clear()
    await writer.projections.runOnce('seeing')
    await writer.projections.retryParked('seeing')
    assert.deepEqual([...new Set(seen)].sort(), [1, 2, 3, 4])
  })

  everyCall('keeps events that were parked before, if told to', 10, async ({ faulty, plain, environment }) => {
    const sick = new Set([2, 4])
    const { Pots, seen } = seeing(sick)
    const options = { environment, log: recorder(), projections: 'manual' } as const
    await using writer = await Pots.start({ ...options, store: plain })
    for (const amount of [1, 2, 3, 4, 5]) await writer.pot(`p${amount}`).put({ amount })
    await writer.projections.runOnce('seeing')
    const running = await starting(() => Pots.start({ ...options, store: faulty }))
    const isDone = await running?.projections.reset('seeing', { from: 3, keep: true }).then(() => true, quiet)
    await running?.stop().catch(quiet)
    await pass(environment)
    sick.clear()
    await writer.projections.runOnce('seeing')
    const parked = (await writer.projections.parked('seeing')).map(({ position }) => position)
    const isReset = isDone === true || parked.length === 1
    assert.deepEqual(
      [parked, seen],
      isReset
        ? [[2], [1, 3, 5, 3, 4, 5]]
        : [
            [2, 4],
            [1, 3, 5],
          ],
    )
  })

  everyCall('is continued by another reset, which keeps nothing that had to be deleted', 10, async (run) => {
    const { faulty, plain, environment } = run
    const { Pots } = seeing(new Set([2, 4]))
    const options = { environment, log: recorder(), projections: 'manual' } as const
    await using writer = await Pots.start({ ...options, store: plain })
    for (const amount of [1, 2, 3, 4, 5]) await writer.pot(`p${amount}`).put({ amount })
    await writer.projections.runOnce('seeing')
    const running = await starting(() => Pots.start({ ...options, store: faulty }))
    await running?.projections.reset('seeing', { from: 1 }).catch(quiet)
    await running?.stop().catch(quiet)
    await pass(environment)
    const { position } = await writer.projections.status('seeing')
    await writer.projections.reset('seeing', { from: 4, keep: true })
    const parked = (await writer.projections.parked('seeing')).map((each) => each.position)
    assert.deepEqual(parked, position === 0 ? [] : [2])
  })
})
