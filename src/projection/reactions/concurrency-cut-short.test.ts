/** A reaction that handles several events at once, and is stopped, fails, is overtaken or dies in the middle. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { logOf, settled, stands, until, watched, withoutLeases } from '../../../test/support/kernel/rig.ts'
import {
  aggregates,
  boxOf,
  checkBoxes,
  gates,
  leaseUntilDenied,
  put,
  sending,
  start,
} from '../../../test/support/read-side/gates.ts'
import { Put } from '../../../test/support/read-side/pots.ts'
import { sized } from '../../../test/support/size.ts'
import { systemEnvironment } from '../../application/system-environment.ts'
import { type FailurePolicy, memory, reaction } from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

describe('A reaction that handles several events at once', () => {
  test('stops as soon as its handlers do, and handles the rest after the next start', async () => {
    const store = memory()
    const gate = gates()
    const bank = await start(sending(3, gate.pass), { store, projections: 'automatic' })
    await put(bank, 'a1', 'b2', 'c3', 'd4')
    await until('three are under way', () => gate.began.length === 3)
    await bank.stop()
    assert.deepEqual(gate.began, [1, 2, 3], 'nothing is begun any more')
    const again = gates()
    await using next = await start(sending(3, again.pass), { store })
    const running = next.reactions.runOnce('sending')
    await again.open(3, 2, 1, 4)
    await running
    for (const [i, id] of ['a', 'b', 'c', 'd'].entries()) assert.deepEqual((await boxOf(next, id)).amounts, [i + 1])
  })

  test('retries parked events only when nothing is in progress any more', async () => {
    const gate = gates()
    const sick = new Set([1])
    const Sick = sending(2, async (amount) => {
      if (sick.has(amount)) throw new RangeError('sick')
      if (amount > 1) await gate.pass(amount)
    }).onFailure({ retries: 0, giveUp: 'park' })
    const environment = manualEnvironment()
    await using bank = await start(Sick, { environment, projections: 'automatic' })
    await put(bank, 'a1', 'b2')
    await until('another is under way', () => gate.began.length === 1)
    sick.clear()
    const retrying = bank.reactions.retryParked('sending')
    await environment.advance(2000)
    assert.equal(await stands(retrying), 'pending')
    await gate.open(2)
    await environment.advance(2000)
    assert.deepEqual(await retrying, { handled: 1, parked: 0 })
    assert.deepEqual((await boxOf(bank, 'a')).amounts, [1])
  })

  test('keeps its progress when the store fails now and then, and sends nothing twice', async () => {
    const watch = watched()
    await using bank = await start(
      sending(5, async () => {}),
      { store: watch.store, environment: systemEnvironment },
    )
    for (let i = 1; i <= 30; i++) await put(bank, `${'abcdef'[i % 6]}${i}`)
    let number = 0
    watch.disturb(({ method }) => {
      if (method !== 'append' && method !== 'saveStep' && method !== 'loadRows' && method !== 'readAll')
        return undefined
      return ++number % 7 === 0 ? (number % 2 === 0 ? 'after' : 'before') : undefined
    })
    for (let isOver = false; !isOver; ) {
      isOver = await bank.reactions.runOnce('sending').then(
        () => true,
        () => false,
      )
    }
    watch.disturb(() => undefined)
    await checkBoxes(bank, 30)
  })
})

describe('While several events are in progress', () => {
  /** Sends each amount to a box, after `pass` has let it. */
  const sendingTo = (box: string, pass: (amount: number, signal: AbortSignal) => Promise<void>) =>
    reaction('sending', aggregates, { concurrency: 3 }).on(Put, async ({ data: { amount } }, { dispatch, signal }) => {
      await pass(amount, signal)
      await dispatch({ aggregate: 'box', id: box, name: 'receive', data: { amount, sum: amount } })
    })

  test('an event that stops the reaction does not move the checkpoint past one that still waits for its turn', async () => {
    const store = memory()
    const handled: number[] = []
    const sick = new Set([3])
    const noting = (pass: (amount: number) => Promise<void>) =>
      reaction('sending', aggregates, { concurrency: 3 })
        .on(Put, async ({ data: { amount } }) => {
          await pass(amount)
          if (sick.has(amount)) throw new RangeError('sick')
          handled.push(amount)
        })
        .onFailure({ retries: 0 })
    const gate = gates()
    const bank = await start(noting(gate.pass), { store, projections: 'automatic' })
    await put(bank, 'a1', 'a2', 'b3')
    await gate.open(3)
    // Events that have begun are done before the end. The second one does not begin any more.
    const stopping = bank.stop()
    await gate.open(1)
    await stopping
    assert.deepEqual(handled, [1])
    sick.clear()
    await using next = await start(
      noting(async () => {}),
      { store },
    )
    await next.reactions.runOnce('sending')
    assert.deepEqual(handled, [1, 2, 3])
  })

  test('a process that was overtaken does nothing more, even if it is asked how far the other process is', async () => {
    const [inner, environment] = [memory(), manualEnvironment()]
    const lease = leaseUntilDenied(inner)
    const [gate, otherGate] = [gates(), gates()]
    const options = { store: lease.store, environment, projections: 'automatic' } as const
    await using first = await start(
      sendingTo('first', (amount) => gate.pass(amount)),
      options,
    )
    await put(first, 'a1', 'b2')
    await until('two are in progress', () => gate.began.length === 2)
    lease.deny()
    await using second = await start(sendingTo('second', otherGate.pass), { store: withoutLeases(inner), environment })
    const running = second.reactions.runOnce('sending')
    await until('two are in progress there', () => otherGate.began.length === 2)
    await environment.advance(20_000)
    assert.equal((await first.reactions.status('sending')).state, 'standby')
    await gate.open(1, 2)
    await otherGate.open(1, 2)
    await running
    assert.deepEqual((await boxOf(second, 'first')).amounts, [])
    assert.deepEqual((await boxOf(second, 'second')).amounts, [1, 2])
  })

  test('a failed read does not delay events that come later', async () => {
    const environment = manualEnvironment()
    const [watch, gate] = [watched(), gates()]
    const options = { store: watch.store, environment, projections: 'automatic' } as const
    await using bank = await start(sendingTo('all', gate.pass), options)
    await put(bank, 'a1')
    await until('the first is under way', () => gate.began.length === 1)
    let failures = 0
    watch.disturb(({ method }) => (method === 'readAll' && failures++ === 0 ? 'before' : undefined))
    await put(bank, 'b2')
    await environment.advance(10_000)
    assert.deepEqual([failures > 1, gate.began], [true, [1, 2]])
    await gate.open(2)
    assert.deepEqual((await boxOf(bank, 'all')).amounts, [2])
    await gate.open(1)
  })

  test('a pause begins no other events, and saves those that are done', async () => {
    const [environment, gate] = [manualEnvironment(), gates()]
    await using bank = await start(sendingTo('all', gate.pass), { environment, projections: 'automatic' })
    await put(bank, 'a1')
    await until('the first is under way', () => gate.began.length === 1)
    await bank.reactions.pause('sending')
    await environment.advance(2_000)
    await put(bank, 'b2')
    await gate.open(1)
    await environment.advance(10_000)
    const { state, position } = await bank.reactions.status('sending')
    assert.deepEqual([state, position, gate.began], ['paused', 1, [1]])
    await bank.reactions.resume('sending')
    await gate.open(2)
  })

  test('no more events are read than may be kept, even if all wait for the first one', async () => {
    const [watch, gate] = [watched(), gates()]
    await using bank = await start(
      sending(3, (amount) => (amount === 0 ? gate.pass(amount) : Promise.resolve())),
      { store: watch.store },
    )
    const amounts = Array.from({ length: 1200 }, (_, i) => i)
    for (let at = 0; at < amounts.length; at += 100) await bank.pot('a').fill({ amounts: amounts.slice(at, at + 100) })
    watch.forget()
    const running = bank.reactions.runOnce('sending')
    await until('the first is under way', () => gate.began.length === 1)
    await until('as many are read', () => watch.count('readAll') >= 5)
    await settled()
    const limits = watch.calls.filter(({ method }) => method === 'readAll').map(({ args }) => Object(args[1]).limit)
    assert.equal(
      limits.reduce((sum, limit) => sum + limit, 0),
      500,
    )
    await gate.open(0)
    await running
    assert.deepEqual((await boxOf(bank, 'a')).amounts, amounts)
    const rows = watch.calls.flatMap(({ method, args }) => (method === 'saveStep' ? [Object(args[1]).rows] : []))
    for (const keys of rows.map((saved) => saved.map(({ key }: { readonly key: string }) => key))) {
      assert.equal(new Set(keys).size, keys.length, 'a state is saved as the last event has left it')
    }
  })
})

test('events are handled however many scheduled commands become due', async () => {
  const environment = manualEnvironment()
  const watch = watched()
  const count = 200
  let sentBefore: number | undefined
  const Busy = reaction('sending', aggregates).on(Put, ({ recordedAt, data: { amount } }, { schedule }) => {
    if (amount === 2) sentBefore = watch.count('append')
    for (let i = 1; amount === 1 && i <= count; i++) {
      const due = new Date(recordedAt.getTime() + i * 5)
      schedule({ aggregate: 'box', id: 'a', name: 'receive', data: { amount: i, sum: i } }, due)
    }
  })
  await using bank = await start(Busy, { store: watch.store, environment })
  await put(bank, 'a1')
  await bank.reactions.runOnce('sending')
  await put(bank, 'b2')
  watch.forget()
  // While one is sent, the next one becomes due.
  watch.disturb(({ method }) => {
    if (method === 'saveStep') environment.setClock(new Date(environment.now() + 6))
    return undefined
  })
  environment.setClock(new Date(environment.now() + 6))
  await bank.reactions.runOnce('sending')
  assert.ok(sentBefore !== undefined && sentBefore < count, `${sentBefore} were sent before`)
})

test('each amount is sent once, in order and with the right state, through delays, failures, retries and crashes', async () => {
  const run = fc.record({
    concurrency: fc.integer({ min: 1, max: 8 }),
    delays: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 12 }),
    failures: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 8 }),
    giveUp: fc.constantFrom('stop' as const, 'park' as const),
    deaths: fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(run, async ({ concurrency, delays, failures, giveUp, deaths }) => {
      const [inner, environment] = [memory(), systemEnvironment]
      const sick = new Set(failures)
      let [number, calls] = [0, 0]
      const dying = new Set(deaths)
      const watch = watched(inner)
      watch.disturb(({ method }) => {
        if (method === 'head' || method === 'onAppend' || method === 'close') return undefined
        return dying.delete(++calls) ? (calls % 2 === 0 ? 'before' : 'after') : undefined
      })
      const turns = async (count: number) => {
        for (let i = 0; i < count; i++) await settled()
      }
      const definition = sending(concurrency, async (amount) => {
        await turns(delays[number++ % delays.length]!)
        if (sick.delete(amount)) throw new RangeError(`sick of ${amount}`)
      }).onFailure({ retries: 0, giveUp } satisfies FailurePolicy)
      const reliable = await start(definition, { store: inner, environment })
      for (let i = 1; i <= 40; i++) await put(reliable, `${'abcdef'[i % 6]}${i}`)
      await reliable.stop()
      for (let isOver = false; !isOver; ) {
        const bank = await start(definition, { store: watch.store, environment }).catch(() => undefined)
        if (bank === undefined) continue
        try {
          await bank.reactions.runOnce('sending')
          isOver = (await bank.reactions.retryParked('sending')).parked === 0
        } catch {
          // It is started again.
        }
        await bank.stop()
      }
      await using bank = await start(definition, { store: inner, environment })
      await checkBoxes(bank, 40)
      const ids = (await logOf(inner)).map(({ commitId }) => commitId)
      assert.equal(new Set(ids).size, ids.length)
    }),
    { numRuns: sized(15, 4) },
  )
})
