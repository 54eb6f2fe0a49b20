/**
 * A reaction handles one more kind of event while a program that does not handle it still leads. Events that this
 * program passes over are not lost. They are handled when the other program leads, from the time on when such a program
 * first came.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import {
  type AnyEventKind,
  aggregate,
  ConflictError,
  domain,
  event,
  type FailurePolicy,
  memory,
  reaction,
  type StoreFactory,
} from '../../src/index.ts'
import type { ProjectionStep } from '../../src/store/store.ts'
import { faultyStore, manualEnvironment } from '../../src/testing/index.ts'
import { recorder, settled, until } from '../support/kernel/rig.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const Bought = event('Bought', z.object({ amount: z.number() }))
const Sold = event('Sold', z.object({ amount: z.number() }))
const Noted = event('Noted', z.object({ text: z.string() }))

const amount = z.object({ amount: z.number() })
const Share = aggregate('share', () => ({}))
  .on(Bought)
  .on(Sold)
  .command('buy', amount, (_, data) => Bought(data))
  .command('sell', amount, (_, data) => Sold(data))
const Note = aggregate('note', () => ({ texts: [] as readonly string[] }))
  .on(Noted, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .command('write', z.object({ text: z.string() }), (_, data) => Noted(data))

/** The same before there were sales. */
const FirstShare = aggregate('share', () => ({}))
  .on(Bought)
  .command('buy', amount, (_, data) => Bought(data))

/** A program whose reaction notes the events of some kinds. */
function program(store: StoreFactory, ...kinds: readonly AnyEventKind[]) {
  return programWith(Share, store, ...kinds)
}

async function programWith(
  share: typeof Share | typeof FirstShare,
  store: StoreFactory,
  ...kinds: readonly AnyEventKind[]
) {
  let noting = reaction('noting', { note: Note }) as any
  for (const kind of kinds) {
    noting = noting.on(kind, (e: any, { dispatch }: any) =>
      dispatch({ aggregate: 'note', id: 'n', name: 'write', data: { text: `${e.type} ${e.data.amount}` } }),
    )
  }
  const log = recorder()
  const options = { store, log, projections: 'manual', leaseMs: 60_000, pollIntervalMs: 5 } as const
  const running: any = await domain({ aggregates: { share, note: Note }, reactions: { noting } }).start(options)
  return {
    share: running.share('s'),
    run: () => running.reactions.runOnce('noting'),
    /** Does what a standby does: it reads the checkpoint of the leader. */
    standBy: () => running.reactions.status('noting'),
    notes: async () => (await running.note('n').state()).texts as readonly string[],
    parked: () => running.reactions.parked('noting') as Promise<readonly unknown[]>,
    retry: () => running.reactions.retryParked('noting'),
    reset: (from: number) => running.reactions.reset('noting', { from }),
    codes: () => log.codes() as readonly string[],
    stop: () => running.stop(),
  }
}

/** A program that leads and does not handle sales. */
async function begun(store: StoreFactory) {
  const old = await program(store, Bought)
  await old.share.buy({ amount: 1 })
  await old.run()
  return old
}

await onEveryStore('An event that an earlier program passed over in a reaction', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  testHere('is handled by a program that handles such events when it leads; earlier ones are not', async (t) => {
    const store = await place(t)
    const old = await program(store, Bought)
    await old.share.sell({ amount: 1 })
    await old.run()
    const next = await program(store, Bought, Sold)
    await next.standBy()
    await next.share.sell({ amount: 2 })
    await old.share.buy({ amount: 3 })
    await old.run()
    await next.standBy()
    await next.share.sell({ amount: 4 })
    await old.run()
    assert.deepEqual(await old.notes(), ['Bought 3'])
    await next.run()
    assert.deepEqual(await next.notes(), ['Bought 3', 'Sold 2', 'Sold 4'])
    assert.deepEqual([await next.parked(), next.codes()], [[], ['REACTION_PASSED_OVER']])
    await next.share.sell({ amount: 5 })
    await next.run()
    await next.run()
    assert.deepEqual((await next.notes()).slice(3), ['Sold 5'])
    for (const each of [old, next]) await each.stop()
  })

  testHere('is handled by a later process too, if the first that would have handled it never led', async (t) => {
    const store = await place(t)
    const old = await begun(store)
    const first = await program(store, Bought, Sold)
    await first.standBy()
    await first.share.sell({ amount: 2 })
    await first.stop()
    await old.share.buy({ amount: 3 })
    await old.run()
    await old.stop()
    const again = await program(store, Bought)
    await again.share.sell({ amount: 4 })
    await again.run()
    await again.stop()
    const second = await program(store, Bought, Sold)
    await second.run()
    assert.deepEqual(await second.notes(), ['Bought 1', 'Bought 3', 'Sold 2', 'Sold 4'])
    await second.stop()
  })

  testHere('counts from the start of the program, even if others led before it first looked', async (t) => {
    const store = await place(t)
    const old = await begun(store)
    const next = await program(store, Bought, Sold)
    await next.share.sell({ amount: 2 })
    await old.run()
    await next.run()
    assert.deepEqual(await next.notes(), ['Bought 1', 'Sold 2'])
    for (const each of [old, next]) await each.stop()
  })
})

test('an event is handled although no program waited for it, if those that passed it over did not declare it', async () => {
  const store = memory()
  const old = await programWith(FirstShare, store, Bought)
  await old.share.buy({ amount: 1 })
  await old.run()
  const first = await program(store, Bought, Sold)
  await first.share.sell({ amount: 2 })
  await first.stop()
  await old.run()
  const second = await program(store, Bought, Sold)
  await second.run()
  assert.deepEqual([await second.notes(), second.codes()], [['Bought 1', 'Sold 2'], ['REACTION_PASSED_OVER']])
  await second.stop()
  // After a reset it goes on from there, whoever leads meanwhile.
  await old.reset(4)
  await old.run()
  const third = await program(store, Bought, Sold)
  await third.share.sell({ amount: 5 })
  await third.run()
  assert.deepEqual(await third.notes(), ['Bought 1', 'Sold 2', 'Sold 5'])
  for (const each of [old, third]) await each.stop()
})

test('events are waited for although the leader moves the checkpoint whenever a program says so', async () => {
  const data = memory()
  const old = await begun(data)
  let conflicts = 0
  const store = faultyStore(data, ({ method, args }) => {
    if (method !== 'saveStep' || conflicts >= 5) return undefined
    conflicts++
    const { from } = args[1] as ProjectionStep
    return new ConflictError('CHECKPOINT_CONFLICT', { projection: 'reaction noting', expected: from, actual: from })
  })
  const first = await program(store, Bought, Sold)
  await first.standBy()
  assert.equal(conflicts, 5)
  await first.share.sell({ amount: 2 })
  await old.run()
  for (const each of [first, old]) await each.stop()
  // It begins after the event, so it only knows from the first one that it waits.
  const second = await program(data, Bought, Sold)
  await second.run()
  assert.equal((await second.notes()).at(-1), 'Sold 2')
  await second.stop()
})

test('events that were passed over are handled once, wherever the process that takes over ends', async () => {
  for (const fault of ['before', 'after'] as const) {
    for (let n = 1, isDone = false; !isDone; n++) {
      const store = memory()
      const old = await begun(store)
      const early = await program(store, Bought, Sold)
      await early.standBy()
      await early.stop()
      const next = await program(
        faultyStore(store, ({ method, number }) => (method === 'saveStep' && number >= n ? fault : undefined)),
        Bought,
        Sold,
      )
      await next.share.sell({ amount: 2 })
      await next.share.sell({ amount: 3 })
      await old.run()
      isDone = await next.run().then(
        () => true,
        () => false,
      )
      await next.stop()
      const last = await program(store, Bought, Sold)
      await last.run()
      const notes = await last.notes()
      assert.deepEqual([...notes].sort(), ['Bought 1', 'Sold 2', 'Sold 3'], `${fault} ${n}: ${notes}`)
      assert.deepEqual(await last.parked(), [])
      for (const each of [old, last]) await each.stop()
      assert.ok(n < 50)
    }
  }
})

test('events that were passed over are handled before later events and not at the same time, however long both take', async () => {
  const store = memory()
  const old = await begun(store)
  const environment = manualEnvironment()
  const gate = Promise.withResolvers<void>()
  const handled: string[] = []
  const noting = reaction('noting', { note: Note })
    .on(Bought, async () => {
      handled.push('buying')
      await gate.promise
      handled.push('bought')
    })
    // Each takes longer than the time of a step.
    .on(Sold, async ({ data }) => {
      await environment.advance(1_500)
      handled.push(`sold ${data.amount}`)
    })
  const options = { store, environment, log: recorder(), projections: 'manual', leaseMs: 60_000 } as const
  const next = await domain({ aggregates: { share: Share, note: Note }, reactions: { noting } }).start(options)
  await next.reactions.status('noting')
  for (const amount of [2, 3]) await next.share('s').sell({ amount })
  await old.run()
  await old.stop()
  await next.share('s').buy({ amount: 4 })
  const running = next.reactions.runOnce('noting')
  await until('the next event is under way', () => handled.includes('buying'))
  for (let step = 0; step < 5; step++) {
    await environment.advance(1_500)
    await settled()
  }
  assert.deepEqual(handled, ['sold 2', 'sold 3', 'buying'])
  gate.resolve()
  await running
  assert.deepEqual([handled, await next.reactions.parked('noting')], [['sold 2', 'sold 3', 'buying', 'bought'], []])
  await next.stop()
})

/** A program that has taken over, with a handler for events that were passed over, and a store. */
async function takenOver(store: StoreFactory, sold: () => void, policy: FailurePolicy, given = store) {
  const old = await begun(store)
  const early = await program(store, Bought, Sold)
  await early.standBy()
  await early.stop()
  for (const amount of [2, 3]) await old.share.sell({ amount })
  await old.run()
  await old.stop()
  const handled: string[] = []
  const environment = manualEnvironment()
  const noting = reaction('noting', { note: Note })
    .on(Bought, ({ data: { amount } }) => void handled.push(`bought ${amount}`))
    .on(Sold, ({ data: { amount } }) => {
      if (amount === 2) sold()
      handled.push(`sold ${amount}`)
    })
    .onFailure({ pauseFirstMs: 10, pauseMaxMs: 10, ...policy })
  const log = recorder()
  const options = { store: given, environment, log, projections: 'manual', leaseMs: 60_000 } as const
  const next = await domain({ aggregates: { share: Share, note: Note }, reactions: { noting } }).start(options)
  await next.share('s').buy({ amount: 4 })
  return { next, handled, environment, log }
}

test('events that were passed over are handled by the process that continues, even if the store fails meanwhile', async () => {
  for (let failAt = 1, isMet = true; isMet; failAt++) {
    const plain = memory()
    let saves = 0
    const failing = faultyStore(plain, ({ method, args: [name] }) =>
      method === 'saveStep' && String(name).startsWith('reaction') && ++saves === failAt ? 'before' : undefined,
    )
    const { next, handled, environment } = await takenOver(plain, () => {}, {}, failing)
    await next.reactions.start('noting')
    for (let i = 0; i < 20; i++) await environment.advance(500)
    const once = handled.filter((each, i) => handled.indexOf(each) === i)
    assert.deepEqual(once, ['sold 2', 'sold 3', 'bought 4'], `save ${failAt} failed`)
    assert.deepEqual(await next.reactions.parked('noting'), [])
    await next.stop()
    isMet = saves >= failAt
    assert.ok(failAt < 50)
  }
})

test('an event that was passed over and fails is tried again, and then the policy applies', async () => {
  let failures = 0
  const failing = () => {
    failures++
    throw new RangeError('it cannot be sold')
  }
  const twice = () => {
    if (++failures <= 2) throw new RangeError('it cannot be sold yet')
  }
  const run = async (sold: () => void, policy: FailurePolicy) => {
    failures = 0
    const { next, handled, environment, log } = await takenOver(memory(), sold, policy)
    await next.reactions.start('noting')
    for (let i = 0; i < 20; i++) await environment.advance(500)
    const { state } = await next.reactions.status('noting')
    const parked = (await next.reactions.parked('noting')).map(({ position }) => position)
    await next.stop()
    return { state, handled, parked, isRetried: log.codes().includes('REACTION_RETRIED') }
  }
  assert.deepEqual(await run(twice, { retries: 3, giveUp: 'stop' }), {
    state: 'running',
    handled: ['sold 2', 'sold 3', 'bought 4'],
    parked: [],
    isRetried: true,
  })
  const stopped = await run(failing, { retries: 1, giveUp: 'stop' })
  assert.deepEqual([stopped.state, stopped.handled, failures], ['failed', [], 2])
  assert.equal(stopped.parked.length, 2)
  const skipped = await run(failing, { retries: 1, giveUp: 'skip' })
  assert.deepEqual([skipped.handled, skipped.parked], [['sold 3', 'bought 4'], []])
  const parked = await run(failing, { retries: 0, giveUp: 'park' })
  // Later events are of the same stream, and queue.
  assert.deepEqual([parked.handled, parked.parked.length], [[], 3])
})
