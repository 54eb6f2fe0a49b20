/**
 * Handing back what is parked: in pieces, however much it is, and wherever the process ends that does it. And what a
 * process knows after it has intervened beside another one that leads.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recorder, until, withoutLeases } from '../../../test/support/kernel/rig.ts'
import { Pot, Put } from '../../../test/support/read-side/pots.ts'
import { sized } from '../../../test/support/size.ts'
import { domain, memory, reaction, type StoreFactory } from '../../index.ts'
import type { ProjectionStep } from '../../store/store.ts'
import { faultyStore, type StoreCall } from '../../testing/faulty-store.ts'

const rowsOf = ({ args }: StoreCall) => (args[1] as ProjectionStep).rows.length

/** Pots whose reaction parks events while it is sick. */
function pots() {
  const handled: number[] = []
  const state = { isSick: true }
  const reacting = reaction('reacting', { pot: Pot })
    .on(Put, ({ position }) => {
      if (state.isSick) throw new RangeError('sick')
      handled.push(position)
    })
    .onFailure({ retries: 0, giveUp: 'park' })
  const Pots = domain({ aggregates: { pot: Pot }, reactions: { reacting } })
  const start = (store: StoreFactory) => Pots.start({ store, projections: 'manual', log: recorder() })
  return { handled, state, start }
}

describe('Handing back', () => {
  // The first event fails, and the others queue behind it: two pages of parked events.
  const count = 1050
  const all = Array.from({ length: count }, (_, i) => i + 1)

  const parkAll = async ({ start }: ReturnType<typeof pots>, store: StoreFactory) => {
    await using first = await start(store)
    await first.pot('a').fill({ amounts: all })
    await first.reactions.runOnce('reacting')
  }

  for (let nth = sized(1, 3); nth <= sized(4, 3); nth++) {
    test(`goes on in another process, in order, if its process ends at step ${nth}`, async () => {
      const [store, own] = [memory(), pots()]
      await parkAll(own, store)
      own.state.isSick = false
      let steps = 0
      const dying = faultyStore(store, (call) => {
        if (call.method !== 'saveStep') return undefined
        assert.ok(rowsOf(call) <= 1000, `a step of ${rowsOf(call)} rows`)
        return ++steps >= nth ? 'before' : undefined
      })
      {
        await using caller = await own.start(dying)
        await assert.rejects(caller.reactions.handBack('reacting'), { code: 'STORE_UNAVAILABLE' })
      }
      await using next = await own.start(store)
      await next.reactions.runOnce('reacting')
      // Nothing is handed back unless the first step was saved.
      assert.deepEqual(own.handled, nth === 1 ? [] : all)
      const { parked } = await next.reactions.status('reacting')
      assert.equal(parked, nth === 1 ? count : 0)
    })
  }

  test('is done in pieces by the process that leads too, which goes on with what it knows', async () => {
    const own = pots()
    const sizes: number[] = []
    const store = faultyStore(memory(), (call) => {
      if (call.method === 'saveStep') sizes.push(rowsOf(call))
      return undefined
    })
    await parkAll(own, store)
    await using leading = await own.start(store)
    await leading.reactions.start('reacting')
    await until('it leads', async () => (await leading.reactions.status('reacting')).state === 'running')
    own.state.isSick = false
    sizes.length = 0
    assert.equal(await leading.reactions.handBack('reacting'), count)
    await until('all are handled', () => own.handled.length === count)
    assert.deepEqual(own.handled, all)
    assert.deepEqual(
      sizes.filter((size) => size > 1),
      [1000, 50],
    )
  })
})

describe('A process that has intervened', () => {
  test('reads again what another one has changed before, although nobody has told it', async () => {
    // Leases can fail to keep two processes apart. Then the terms must.
    const [store, sick] = [withoutLeases(memory()), new Set([2])]
    const handled: number[] = []
    const reacting = reaction('reacting', { pot: Pot })
      .on(Put, ({ data: { amount } }, { schedule }) => {
        if (sick.has(amount)) throw new RangeError('sick')
        handled.push(amount)
        if (amount !== 1) return
        for (const later of [11, 12])
          schedule({ aggregate: 'pot', id: 'b', name: 'put', data: { amount: later } }, new Date('2200-01-01'))
      })
      .onFailure({ retries: 0, giveUp: 'park' })
    const Pots = domain({ aggregates: { pot: Pot }, reactions: { reacting } })
    const deaf = faultyStore(store, ({ method }) => (method === 'onAppend' ? 'before' : undefined))
    const options = { log: recorder(), pollIntervalMs: 1e6, leaseMs: 1e6 }
    await using second = await Pots.start({ ...options, store, projections: 'manual' })
    await second.pot('a').put({ amount: 1 })
    await using first = await Pots.start({ ...options, store: deaf })
    await until('it has handled the first', () => handled.length === 1)
    await until('it rests', async () => (await first.reactions.status('reacting')).lag.events === 0)
    await second.pot('a').put({ amount: 2 })
    await second.reactions.runOnce('reacting')
    const { timers } = await first.reactions.timers('reacting')
    await first.reactions.cancelTimer('reacting', timers[0]!.id)
    await second.pot('a').put({ amount: 3 })
    // This wakes it.
    await first.reactions.sendTimer('reacting', timers[1]!.id)
    await until('it has handled all', async () => (await first.reactions.status('reacting')).position === 4)
    // The third queues behind the second, which the other process has parked.
    assert.deepEqual(handled, [1, 12])
    assert.equal((await first.reactions.status('reacting')).parked, 2)
  })
})
