/**
 * The n-th call to the store fails, before or after it had its effect, for every n until a run passes without meeting its fault: once so
 * that the process goes on, and once so that it is dead from there on and another follows. Whatever happens between a
 * handler and its checkpoint, nothing may be lost, doubled, swapped or torn.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { domain, memory, projection } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { type ManualEnvironment, manualEnvironment } from '../../src/testing/manual-environment.ts'
import { logOf, recorder, stands } from '../kernel/rig.ts'
import { deliveryDomain, later, laterMs, type RunningDelivery } from './boxes.ts'
import { checkRows, foldOf, Pot, Put, type RunningRows, rowsOf, startRows, withStore } from './pots.ts'

type Faults = Readonly<Record<'fault', 'before' | 'after'> & Record<'dies', boolean>>

const kinds: readonly Faults[] = (['before', 'after'] as const).flatMap((fault) =>
  [false, true].map((dies) => ({ fault, dies })),
)

interface Run {
  /** Where the faults are. */
  readonly faulty: StoreFactory
  /** The same store without faults. */
  readonly plain: StoreFactory
  readonly environment: ManualEnvironment
  /** Tells the runs apart. */
  readonly name: string
}

/** Declares a test that lets every call fail, by every kind of fault. */
function everyCall(what: string, least: number, run: (run: Run) => Promise<void>): void {
  for (const { fault, dies } of kinds) {
    const how = dies ? 'and is followed by another process' : 'and goes on'
    test(`${what} when a call fails ${fault} its effect ${how}`, async (t: TestContext) => {
      let isMet = true
      let n = 1
      for (; isMet; n++) {
        isMet = false
        const plain = memory()
        const faulty = faultyStore(plain, ({ total, method }) => {
          if (method === 'close' || total < n) return undefined
          isMet = true
          return total === n ? fault : dies ? 'before' : undefined
        })
        const name = `n = ${n}`
        try {
          await run({ faulty, plain, environment: manualEnvironment({ seed: n }), name })
        } catch (cause) {
          throw new Error(`with ${name}`, { cause })
        }
      }
      t.diagnostic(`${n - 1} runs`)
      assert.ok(n > least, `only ${n} calls were made`)
    })
  }
}

/** Lets so much time pass that everything that can go on has gone on, and a lease has run out. */
async function pass(environment: ManualEnvironment): Promise<void> {
  for (let turn = 0; turn < 7; turn++) await environment.advance(2000)
}

/** Lets time pass until something is over: commands that fail wait for the clock. */
async function inTime(environment: ManualEnvironment, work: Promise<unknown>): Promise<void> {
  for (let turn = 0; (await stands(work)) === 'pending'; turn++) {
    assert.ok(turn < 500, 'it never ends')
    await environment.advance(500)
  }
  await work
}

const quiet = (error: unknown) => assert.ok(!(error instanceof assert.AssertionError), String(error))

/** Starts a domain that may fail to; `undefined` if it is dead before it lives. */
const starting = <Domain>(start: () => Promise<Domain>): Promise<Domain | undefined> => start().catch(() => undefined)

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

/** What a store remembers of the rows of a projection. */
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
    // Until the dead one's lease has run out.
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

describe('A reaction sends each command once, each scheduled one once, and remembers rightly', () => {
  const putAll = async (writer: RunningDelivery, round: number) => {
    for (const id of ['a', 'b']) await writer.pot(id).fill({ amounts: [10 * round + 1, 10 * round + 2] })
  }
  const checkBoxes = async (writer: RunningDelivery) => {
    const expected = foldOf(await Array.fromAsync(writer.pot('a').history(), asStored))
    for (const id of ['a', 'b']) {
      const amounts = expected['a']!
      const sums = amounts.map((_, i) => amounts.slice(0, i + 1).reduce((sum, amount) => sum + amount))
      assert.deepEqual(await writer.box(id).state(), { amounts, sums })
      const { amounts: afterwards } = await writer.box(`${id} later`).state()
      assert.deepEqual(
        [...afterwards].sort((x, y) => x - y),
        amounts.map((amount) => amount + later),
      )
    }
  }
  const asStored = (event: unknown) => event as Parameters<typeof foldOf>[0][number]
  const finish = async (writer: RunningDelivery, environment: ManualEnvironment) => {
    for (let i = 0; i < 3; i++) {
      // Where the dead process has the lease, a run waits until it is over.
      await inTime(environment, writer.reactions.runOnce('delivery'))
      await environment.advance(2 * laterMs)
    }
    await inTime(environment, writer.reactions.runOnce('delivery'))
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
    await finish(writer, environment)
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
    await finish(writer, environment)
    await writer.reactions.retryParked('delivery')
    assert.deepEqual(await writer.reactions.parked('delivery'), [])
    await finish(writer, environment)
    await checkBoxes(writer)
  })
})
