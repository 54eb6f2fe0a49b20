/** Reactions on every store: their commands once for each event over restarts, their states, and events that fail. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { domain, type FailurePolicy, reaction } from '../../src/index.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, recorder, until } from '../support/kernel/rig.ts'
import { Box, deliveryDomain, later, laterMs, type RunningDelivery } from '../support/read-side/boxes.ts'
import { Pot, Put, type Sick, storedUnder } from '../support/read-side/pots.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const fill = (bank: RunningDelivery, id: string, amounts: readonly number[]) =>
  bank.pot(id).fill({ amounts: [...amounts] })
const amountsOf = async (bank: RunningDelivery, id: string) => (await bank.box(id).state()).amounts
const parkedAt = async (bank: RunningDelivery) =>
  (await bank.reactions.parked('delivery')).map(({ position }) => position)

await onEveryStore('A reaction', ({ place }) => {
  const start = async (
    t: Parameters<typeof place>[0],
    { sick = new Set(), policy = {} }: { readonly sick?: Sick; readonly policy?: FailurePolicy } = {},
  ) => {
    const [store, environment, log] = [await place(t), manualEnvironment(), recorder()]
    const definition = deliveryDomain({ sick, policy: { retries: 0, ...policy } })
    // However fast a test lets the time pass, the lease is not lost.
    const begin = () => definition.start({ store, environment, log, projections: 'manual', leaseMs: 3_600_000 })
    return { store, environment, log, begin, sick }
  }

  test('continues after restarts, and its commands happen once for each event', async (t) => {
    const { begin, environment } = await start(t)
    for (let round = 0; round < 3; round++) {
      await using bank = await begin()
      await fill(bank, 'a', [10 * round + 1, 10 * round + 2])
      await bank.reactions.runOnce('delivery')
      await bank.reactions.runOnce('delivery')
      await environment.advance(laterMs)
    }
    await using bank = await begin()
    await bank.reactions.runOnce('delivery')
    assert.deepEqual(await bank.box('a').state(), { amounts: [1, 2, 11, 12, 21, 22], sums: [1, 3, 14, 26, 47, 69] })
    assert.deepEqual(
      await amountsOf(bank, 'a later'),
      [1, 2, 11, 12, 21, 22].map((amount) => amount + later),
    )
  })

  test('copies the correlation id of an event to its commands', async (t) => {
    const { begin } = await start(t)
    await using bank = await begin()
    await bank.pot('a').put({ amount: 1 }, { commandId: 'c1', metadata: { correlationId: 'order 7' } })
    await bank.pot('b').put({ amount: 2 }, { commandId: 'c2' })
    await bank.reactions.runOnce('delivery')
    const metadataOf = async (id: string) => (await Array.fromAsync(bank.box(id).history()))[0]?.metadata
    assert.deepEqual(await metadataOf('a'), { correlationId: 'order 7', causationId: 'c1' })
    assert.deepEqual(await metadataOf('b'), { correlationId: 'c2', causationId: 'c2' })
  })

  test('stops before an event whose handler throws, and saves neither its state nor its scheduled commands', async (t) => {
    const { begin, sick, store, environment } = await start(t, { sick: new Set([2]) })
    const bank = await begin()
    await fill(bank, 'a', [1, 2, 3])
    await assert.rejects(bank.reactions.runOnce('delivery'), { code: 'PROJECTION_FAILED' })
    assert.equal((await bank.reactions.status('delivery')).position, 1)
    await bank.stop()
    const dueAt = String(environment.now() + laterMs).padStart(16, '0')
    const keys = await storedUnder(store, 'reaction delivery')
    assert.deepEqual(
      keys.filter((key) => key.startsWith('timer') || key.startsWith('state')),
      ['state a', `timer ${dueAt} 0000000000000001:000000`],
    )
    sick.clear()
    await using again = await begin()
    await again.reactions.runOnce('delivery')
    assert.deepEqual(await again.box('a').state(), { amounts: [1, 2, 3], sums: [1, 3, 6] })
  })

  test('skips an event if the policy says so, with a warning, and does not save the state of the handler', async (t) => {
    const { begin, log, environment } = await start(t, {
      sick: new Set([2]),
      policy: { retries: 2, pauseFirstMs: 50, giveUp: 'skip' },
    })
    await using bank = await begin()
    await fill(bank, 'a', [1, 2, 3])
    let isOver = false
    const running = bank.reactions.runOnce('delivery').finally(() => {
      isOver = true
    })
    await until('its tries are used up', async () => {
      await environment.advance(100)
      return isOver
    })
    await running
    assert.deepEqual(log.codes(), ['REACTION_RETRIED', 'REACTION_SKIPPED'])
    // The command was sent before the handler threw; the sum was not kept.
    assert.deepEqual(await bank.box('a').state(), { amounts: [1, 2, 3], sums: [1, 3, 4] })
  })

  test('parks an event and later ones of its stream, over restarts, and continues in order', async (t) => {
    const { begin, sick, log } = await start(t, { sick: new Set([2]), policy: { giveUp: 'park' } })
    const bank = await begin()
    await fill(bank, 'a', [1, 2, 3])
    await fill(bank, 'b', [10, 11])
    await bank.reactions.runOnce('delivery')
    assert.deepEqual([await parkedAt(bank), log.codes()], [[2, 3], ['REACTION_PARKED']])
    assert.deepEqual(
      [await amountsOf(bank, 'a'), await amountsOf(bank, 'b')],
      [
        [1, 2],
        [10, 11],
      ],
    )
    await bank.stop()
    await using again = await begin()
    await fill(again, 'a', [4])
    await again.reactions.runOnce('delivery')
    assert.equal((await again.reactions.status('delivery')).parked, 3)
    assert.deepEqual(await again.reactions.retryParked('delivery'), { handled: 0, parked: 3 })
    await assert.rejects(again.reactions.skipParked('delivery', 1), { code: 'PARKED_UNKNOWN' })
    sick.clear()
    assert.deepEqual(await again.reactions.retryParked('delivery'), { handled: 3, parked: 0 })
    assert.deepEqual(await again.box('a').state(), { amounts: [1, 2, 3, 4], sums: [1, 3, 6, 10] })
  })

  test('deletes a parked event that is skipped', async (t) => {
    const { begin } = await start(t, { sick: new Set([2]), policy: { giveUp: 'park' } })
    await using bank = await begin()
    await fill(bank, 'a', [1, 2, 3])
    await bank.reactions.runOnce('delivery')
    await bank.reactions.skipParked('delivery', 2)
    assert.deepEqual(await bank.reactions.retryParked('delivery'), { handled: 1, parked: 0 })
    assert.deepEqual(await bank.box('a').state(), { amounts: [1, 2, 3], sums: [1, 3, 4] })
  })

  test('does not give an event up because of a shutdown between two tries', async (t) => {
    for (const giveUp of ['stop', 'skip', 'park'] as const) {
      const { store, environment, log, sick } = await start(t, { sick: new Set([2]) })
      const definition = deliveryDomain({ sick, policy: { retries: 5, giveUp } })
      const bank = await definition.start({ store, environment, log })
      await fill(bank, 'a', [1, 2, 3])
      await until('it was tried', async () => (await amountsOf(bank, 'a')).length === 2)
      await bank.stop()
      sick.clear()
      await using again = await definition.start({ store, environment, log, projections: 'manual' })
      await again.reactions.runOnce('delivery')
      assert.deepEqual(await again.box('a').state(), { amounts: [1, 2, 3], sums: [1, 3, 6] })
      const others = log.codes().filter((code) => code !== 'REACTION_RETRIED')
      assert.deepEqual([others, await parkedAt(again)], [[], []])
    }
  })
})

const aggregates = { pot: Pot, box: Box }

await onEveryStore('A state or a scheduled command of a reaction', ({ place }) => {
  test('is one for each key that the reaction chooses, and is deleted when the handler says so', async (t) => {
    const seen: (readonly [string, number])[] = []
    const Counting = reaction('counting', aggregates)
      .state(
        () => ({ count: 0 }),
        ({ data }) => ((data as { readonly amount: number }).amount % 2 === 0 ? 'even' : 'odd'),
      )
      .on(Put, ({ data: { amount } }, { state, setState }) => {
        seen.push([amount % 2 === 0 ? 'even' : 'odd', state.count])
        setState(amount === 4 ? undefined : { count: state.count + 1 })
      })
    const store = await place(t)
    for (const amounts of [
      [1, 2, 3],
      [4, 5],
      [6, 7],
    ]) {
      await using pots = await domain({ aggregates, reactions: { counting: Counting } }).start({
        store,
        projections: 'manual',
      })
      await pots.pot('a').fill({ amounts })
      await pots.reactions.runOnce('counting')
    }
    const [odd, even] = ['odd', 'even'].map((key) => seen.filter(([each]) => each === key).map(([, count]) => count))
    assert.deepEqual(
      [odd, even],
      [
        [0, 1, 2, 3],
        [0, 1, 0],
      ],
    )
  })

  test('is parked if it can never be sent, stays parked over restarts, and can be skipped', async (t) => {
    const [store, environment, log] = [await place(t), manualEnvironment(), recorder()]
    let name = 'nothing' as 'receive'
    const begin = (Boxes: typeof Box) => {
      const all = { ...aggregates, box: Boxes }
      const later = reaction('later', all)
        .on(Put, ({ stream: { id }, data: { amount } }, { schedule }) => {
          schedule({ aggregate: 'box', id, name, data: { amount, sum: 0 } }, { afterMs: 1000 })
        })
        .onFailure({ retries: 0, giveUp: 'park' })
      const options = { store, environment, log, projections: 'manual' } as const
      return domain({ aggregates: all, reactions: { later } }).start(options)
    }
    // A program that has a command which the next one does not have.
    const before = await begin(Box.command('nothing', z.object({}), () => undefined) as never)
    await before.pot('a').put({ amount: 1 })
    await before.reactions.runOnce('later')
    await before.stop()
    name = 'receive'
    const bank = await begin(Box)
    await bank.pot('a').put({ amount: 2 })
    await bank.reactions.runOnce('later')
    await environment.advance(1000)
    assert.deepEqual(
      await codesOf([bank.reactions.runOnce('later')]),
      ['COMMAND_UNKNOWN'],
      'a newer program has its turn',
    )
    await bank.reactions.runOnce('later')
    const [parked, ...more] = await bank.reactions.parked('later')
    assert.deepEqual([parked?.position, parked?.keys, parked?.command?.['name'], more], [1, [], 'nothing', []])
    assert.deepEqual([(await bank.box('a').state()).amounts, log.codes()], [[2], ['REACTION_PARKED']])
    await bank.stop()
    await using again = await begin(Box)
    await again.reactions.retryParked('later')
    assert.deepEqual(await codesOf([again.reactions.runOnce('later')]), ['COMMAND_UNKNOWN'])
    await again.reactions.runOnce('later')
    assert.deepEqual((await again.reactions.parked('later')).length, 1, 'it still cannot be sent')
    await again.reactions.skipParked('later', 1)
    assert.deepEqual(await codesOf([again.reactions.skipParked('later', 1)]), ['PARKED_UNKNOWN'])
    await again.reactions.runOnce('later')
    assert.deepEqual((await again.box('a').state()).amounts, [2])
  })

  test('of a parked event that is retried is sent in time, even if the log does not grow', async (t) => {
    const environment = manualEnvironment()
    let isSick = true
    const Later = reaction('later', aggregates)
      .on(Put, ({ stream: { id }, data: { amount } }, { schedule }) => {
        if (isSick) throw new Error('sick')
        schedule({ aggregate: 'box', id, name: 'receive', data: { amount, sum: 0 } }, { afterMs: 1000 })
      })
      .onFailure({ retries: 0, giveUp: 'park' })
    const Bank = domain({ aggregates, reactions: { later: Later } })
    await using bank = await Bank.start({ store: await place(t), environment, log: recorder() })
    await bank.pot('a').put({ amount: 1 })
    await until('it is parked', async () => (await bank.reactions.parked('later')).length === 1)
    isSick = false
    assert.deepEqual(await bank.reactions.retryParked('later'), { handled: 1, parked: 0 })
    await environment.advance(1000)
    await until('it is sent', async () => (await bank.box('a').state()).amounts.length === 1)
  })
})
