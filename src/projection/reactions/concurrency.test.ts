/**
 * A reaction that handles several events at once: in order if they have a common key, and saved up to the first one
 * that is not done.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder, settled, stands, until, watched } from '../../../test/support/kernel/rig.ts'
import { aggregates, boxOf, gates, positionOf, put, sending, start } from '../../../test/support/read-side/gates.ts'
import { Pot, Put } from '../../../test/support/read-side/pots.ts'
import { aggregate, domain, event, memory, reaction } from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

describe('Events that are handled at once', () => {
  test('are as many as the option says, and no more', async () => {
    for (const concurrency of [1, 3, 20]) {
      const gate = gates()
      await using bank = await start(sending(concurrency, gate.pass))
      const ids = Array.from({ length: 20 }, (_, i) => i + 1)
      for (const id of ids) await bank.pot(`p${id}`).put({ amount: id })
      const running = bank.reactions.runOnce('sending')
      await until('so many are under way', () => gate.began.length === concurrency)
      await settled()
      assert.equal(gate.began.length, concurrency)
      await gate.open(...ids)
      assert.equal((await running).events, 20)
      assert.deepEqual([gate.most, gate.began], [concurrency, ids], 'they begin in the order of the log')
    }
  })

  test('are handled one at a time and in order within a stream, while other streams go on', async () => {
    const gate = gates()
    await using bank = await start(sending(3, gate.pass))
    await put(bank, 'a1', 'a2', 'b3', 'a4', 'b5', 'c6')
    const running = bank.reactions.runOnce('sending')
    await gate.open(3, 5, 6)
    assert.deepEqual(gate.began, [1, 3, 6, 5])
    await gate.open(1, 2, 4)
    await running
    assert.deepEqual(await boxOf(bank, 'a'), { amounts: [1, 2, 4], sums: [1, 3, 7] })
    assert.deepEqual(await boxOf(bank, 'b'), { amounts: [3, 5], sums: [3, 8] })
  })

  test('of a reaction without states are in order within each stream, by aggregate and id', async () => {
    const gate = gates()
    const Other = aggregate('other', () => ({}))
      .on(Put)
      .command('put', z.object({ amount: z.int() }), (_, data) => Put(data))
    const Plain = reaction('plain', aggregates, { concurrency: 9 }).on(Put, ({ data }) => gate.pass(data.amount))
    const Pots = domain({ aggregates: { ...aggregates, other: Other }, reactions: { plain: Plain } })
    await using pots = await Pots.start({ projections: 'manual', log: recorder() })
    await pots.pot('a').fill({ amounts: [1, 2] })
    await pots.other('a').put({ amount: 3 })
    const running = pots.reactions.runOnce('plain')
    await until('two are under way', () => gate.began.length === 2)
    await settled()
    assert.deepEqual(gate.began, [1, 3])
    await gate.open(1, 2, 3)
    await running
  })

  test('are in order if they share a state, whatever their streams are', async () => {
    const gate = gates()
    const Shared = reaction('sending', aggregates, { concurrency: 9 })
      .state(
        () => [] as readonly number[],
        ({ data }) => ((data as { readonly amount: number }).amount % 2 === 0 ? 'even' : 'odd'),
      )
      .on(Put, async ({ data: { amount } }, { state, setState, dispatch }) => {
        await gate.pass(amount)
        setState([...state, amount])
        const sum = [...state, amount].reduce((a, b) => a + b)
        await dispatch({ aggregate: 'box', id: 'all', name: 'receive', data: { amount, sum } })
      })
    await using bank = await start(Shared)
    await put(bank, 'a1', 'b3', 'a2', 'c4', 'b5')
    const running = bank.reactions.runOnce('sending')
    await until('two are under way', () => gate.began.length === 2)
    await settled()
    assert.deepEqual(gate.began, [1, 2])
    await gate.open(2, 4, 1, 3, 5)
    await running
    assert.deepEqual(await boxOf(bank, 'all'), { amounts: [2, 4, 1, 3, 5], sums: [2, 6, 1, 4, 9] })
  })

  test('are joined by events that come while others are in progress', async () => {
    const gate = gates()
    await using bank = await start(sending(2, gate.pass), { projections: 'automatic' })
    await put(bank, 'a1')
    await until('the first is under way', () => gate.began.length === 1)
    await put(bank, 'b2', 'c3')
    await gate.open(2, 3)
    assert.deepEqual(gate.began, [1, 2, 3])
    assert.equal((await boxOf(bank, 'c')).amounts.length, 1)
    await gate.open(1)
    const head = async () => (await bank.reactions.status('sending')).head
    await until('all is handled', async () => (await positionOf(bank)) === (await head()))
  })

  test('are found after pages without wanted events, each of which is read once', async () => {
    const Rustled = event('Rustled', z.object({}))
    const Other = aggregate('other', () => ({}))
      .on(Rustled)
      .command('rustle', z.object({}), () => Rustled({}))
    const handled: string[] = []
    // Pots rustle too, but the reaction does not handle that.
    const Hearing = reaction('hearing', {}, { concurrency: 2 })
      .on(Put, ({ data }) => {
        handled.push(`put ${data.amount}`)
      })
      .on(Rustled, ({ stream }) => {
        handled.push(`rustled ${stream.aggregate}`)
      })
    const watch = watched()
    const definition = domain({ aggregates: { pot: Pot, other: Other }, reactions: { hearing: Hearing } })
    const environment = manualEnvironment()
    await using bank = await definition.start({ store: watch.store, projections: 'manual', environment })
    for (let i = 0; i < 9; i++) await bank.pot('a').rustle({ times: 50 })
    await bank.pot('a').put({ amount: 1 })
    await bank.other('b').rustle()
    watch.forget()
    assert.equal((await bank.reactions.runOnce('hearing')).events, 2)
    assert.deepEqual(handled, ['put 1', 'rustled other'])
    assert.equal(watch.count('readAll'), 5)
  })

  test('delay neither scheduled commands nor the renewal of the lease', async () => {
    const gate = gates()
    const environment = manualEnvironment()
    const Later = reaction('sending', aggregates, { concurrency: 2 }).on(
      Put,
      async ({ stream: { id }, data: { amount } }, { schedule }) => {
        if (amount === 1)
          schedule({ aggregate: 'box', id, name: 'receive', data: { amount, sum: 0 } }, { afterMs: 100 })
        else await gate.pass(amount)
      },
    )
    const watch = watched()
    await using bank = await start(Later, { environment, projections: 'automatic', store: watch.store })
    await put(bank, 'a1')
    await until('it is handled', async () => (await positionOf(bank)) >= 1)
    await put(bank, 'b2')
    await until('another is under way', () => gate.began.length === 1)
    watch.forget()
    await environment.advance(60_000)
    assert.deepEqual((await boxOf(bank, 'a')).amounts, [1])
    assert.ok(watch.count('acquireLease') > 0, 'the lease is renewed')
    await gate.open(2)
  })

  test('are a whole number of events', () => {
    for (const concurrency of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1001, '2', null]) {
      const options = { concurrency: concurrency as number }
      assert.throws(() => reaction('r', aggregates, options), { code: 'OPTION_INVALID' }, `${concurrency}`)
    }
    assert.throws(() => reaction('r', aggregates, { concurency: 2 } as never), { code: 'OPTION_INVALID' })
    assert.equal(reaction('r').concurrency, 1)
    assert.equal(reaction('r', aggregates, { concurrency: 5 }).onFailure({ retries: 1 }).concurrency, 5)
  })
})

describe('The checkpoint of a reaction that handles several events at once', () => {
  test('is the last position up to which everything is done, also after a restart, and nothing is sent twice', async () => {
    const store = memory()
    const gate = gates()
    {
      const bank = await start(sending(3, gate.pass), { store, projections: 'automatic' })
      await put(bank, 'a1', 'b2', 'c3', 'b4')
      await gate.open(2, 3, 4)
      assert.equal((await boxOf(bank, 'b')).amounts.length, 2)
      assert.equal(await positionOf(bank), 0)
      await bank.stop()
    }
    const again = gates()
    await using bank = await start(sending(3, again.pass), { store })
    assert.equal(await positionOf(bank), 0)
    const running = bank.reactions.runOnce('sending')
    await again.open(1, 2, 3, 4)
    await running
    assert.ok((await positionOf(bank)) >= 4)
    assert.deepEqual(await boxOf(bank, 'a'), { amounts: [1], sums: [1] })
    assert.deepEqual(await boxOf(bank, 'b'), { amounts: [2, 4], sums: [2, 6] })
    assert.deepEqual(await boxOf(bank, 'c'), { amounts: [3], sums: [3] })
  })

  test('stays before an event that stops it: events before are done, and events after are handled another time', async () => {
    const gate = gates()
    const sick = new Set([3])
    const Sick = sending(4, async (amount, signal) => {
      await gate.pass(amount, signal)
      if (sick.has(amount)) throw new RangeError('sick')
    }).onFailure({ retries: 0 })
    await using bank = await start(Sick)
    await put(bank, 'a1', 'b2', 'c3', 'd4', 'e5')
    const running = bank.reactions.runOnce('sending')
    await gate.open(3)
    assert.equal(await stands(running), 'pending', 'those before it are still under way')
    await gate.open(2, 1)
    await assert.rejects(running, { code: 'PROJECTION_FAILED' })
    assert.equal(await positionOf(bank), 2)
    assert.equal(gate.began.includes(5), false, 'nothing behind it is begun')
    assert.deepEqual((await boxOf(bank, 'd')).amounts, [], 'what was under way behind it was cut')
    sick.clear()
    const again = bank.reactions.runOnce('sending')
    await gate.open(3, 4, 5)
    await again
    for (const [i, id] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      assert.deepEqual(await boxOf(bank, id), { amounts: [i + 1], sums: [i + 1] })
    }
  })

  test('passes events that were skipped or parked, and events that queue behind them', async () => {
    for (const giveUp of ['skip', 'park'] as const) {
      const gate = gates()
      const sick = new Set([1])
      const Sick = sending(3, async (amount) => {
        await gate.pass(amount)
        if (sick.has(amount)) throw new RangeError('sick')
      }).onFailure({ retries: 0, giveUp })
      await using bank = await start(Sick)
      await put(bank, 'a1', 'a2', 'b3', 'a4')
      const running = bank.reactions.runOnce('sending')
      await gate.open(3, 1)
      if (giveUp === 'skip') await gate.open(2, 4)
      await running
      const parked = (await bank.reactions.parked('sending')).map(({ position, keys }) => [position, ...keys])
      const queue = [1, 2, 4].map((position) => [position, 'a'])
      assert.deepEqual(parked, giveUp === 'park' ? queue : [])
      assert.deepEqual((await boxOf(bank, 'a')).sums, giveUp === 'skip' ? [2, 6] : [])
      assert.deepEqual((await boxOf(bank, 'b')).sums, [3])
      sick.clear()
      const retrying = bank.reactions.retryParked('sending')
      if (giveUp === 'park') await gate.open(1, 2, 4)
      assert.deepEqual(await retrying, { handled: giveUp === 'park' ? 3 : 0, parked: 0 })
      if (giveUp === 'park') assert.deepEqual(await boxOf(bank, 'a'), { amounts: [1, 2, 4], sums: [1, 3, 7] })
    }
  })

  test('passes an event that cannot be read, and the events that queue behind it in its stream', async () => {
    const Old = event('Put', z.object({ amount: z.int(), keys: z.array(z.string()).optional() }))
    let isFixed = false
    const Kind = Old.revise(z.object({ amount: z.int() }), ({ amount }) => {
      if (amount === 1 && !isFixed) throw new RangeError('unreadable')
      return { amount }
    })
    const Pots = aggregate('pot', () => ({}))
      .on(Kind)
      .command('put', z.object({ amount: z.int() }), (_, data) => Kind(data))
    const handled: number[] = []
    const store = memory()
    {
      await using old = await domain({ aggregates: { pot: Pot } }).start({ store, log: recorder() })
      for (const [id, amount] of [
        ['a', 1],
        ['a', 2],
        ['b', 3],
      ] as const) {
        await old.pot(id).put({ amount })
      }
    }
    const Reading = reaction('reading', {}, { concurrency: 4 })
      .state(
        () => 0,
        ({ data }) => `of ${(data as { readonly amount: number }).amount}`,
      )
      .on(Kind, ({ data: { amount } }) => {
        handled.push(amount)
      })
      .onFailure({ retries: 0, giveUp: 'park' })
    const definition = domain({ aggregates: { pot: Pots }, reactions: { reading: Reading } })
    await using bank = await definition.start({ store, projections: 'manual', log: recorder() })
    await bank.reactions.runOnce('reading')
    assert.deepEqual(handled, [3])
    isFixed = true
    assert.deepEqual(await bank.reactions.retryParked('reading'), { handled: 2, parked: 0 })
    assert.deepEqual(handled, [3, 1, 2])
  })
})
