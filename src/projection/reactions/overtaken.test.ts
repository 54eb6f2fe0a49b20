/**
 * A reaction that two processes run at once, because one was silent for longer than its lease: the slow one does the
 * same as the other.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { logOf, recorder, until, withoutLeases } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, reaction, reject } from '../../index.ts'
import type { StoreFactory } from '../../store/store.ts'
import { faultyStore, type StoreMethod } from '../../testing/faulty-store.ts'

const Counted = event('Counted', z.object({}))
const Noted = event('Noted', z.object({ position: z.int(), count: z.int() }))
const Counter = aggregate('counter', () => ({}))
  .on(Counted)
  .command('count', z.object({}), () => Counted({}))
const Note = aggregate('note', () => ({}))
  .on(Noted)
  .command('write', z.object({ position: z.int(), count: z.int() }), (_, data) => Noted(data))

/** Counts the events, and writes a note with the count for each. */
const Counting = reaction('counting', { note: Note })
  .state(() => 0)
  .on(Counted, async ({ position, stream: { id } }, { state, setState, dispatch }) => {
    setState(state + 1)
    await dispatch({ aggregate: 'note', id, name: 'write', data: { position, count: state + 1 } })
  })

const start = (store: StoreFactory) =>
  domain({ aggregates: { counter: Counter, note: Note }, reactions: { counting: Counting } }).start({
    store,
    projections: 'manual',
  })

/** A store whose calls of a method wait until `goOn` is called. */
function halted(store: StoreFactory, atMethod: StoreMethod) {
  const gate = Promise.withResolvers<void>()
  let isWaiting = false
  const halting = faultyStore(store, ({ method }) => {
    if (method !== atMethod) return undefined
    isWaiting = true
    return gate.promise
  })
  return { store: halting, waits: () => until(`it waits at ${atMethod}`, () => isWaiting), goOn: gate.resolve }
}

/** A process that waits before it reads the states, until `goOn` is called. */
async function slow(store: StoreFactory) {
  const { store: halting, waits, goOn } = halted(store, 'loadRows')
  const process = await start(halting)
  const running = process.reactions.runOnce('counting')
  await waits()
  return { process, running, goOn }
}

const Ended = event('Ended', z.object({ isPaid: z.boolean() }))
const Order = aggregate('order', () => ({}))
  .on(Ended)
  .command('end', z.object({ isPaid: z.boolean() }), (_, data) => Ended(data))

test('a reaction that was overtaken does not handle events with states of a later checkpoint', async () => {
  const store = withoutLeases(memory())
  await using writer = await start(store)
  for (let i = 0; i < 2; i++) await writer.counter('a').count()
  const first = await slow(store)
  await writer.counter('a').count()
  // It reads one event more than the first process will have handled when this one reads the states.
  const second = await slow(store)
  first.goOn()
  await first.running
  second.goOn()
  await second.running
  const notes = (await logOf(store)).filter(({ type }) => type === 'Noted').map(({ data }) => data)
  assert.deepEqual(
    notes,
    [1, 2, 3].map((position) => ({ position, count: position })),
  )
  await first.process.stop()
  await second.process.stop()
})

test('a reaction that notices at a rejection that it was overtaken continues from where the other process is', async () => {
  const store = withoutLeases(memory())
  const Refused = aggregate('refused', () => ({})).command('ask', z.object({}), () => reject('NO', {}))
  const Asking = reaction('asking', { refused: Refused }).on(Counted, async ({ stream: { id } }, { dispatch }) => {
    await dispatch({ aggregate: 'refused', id, name: 'ask', data: {} })
  })
  const Asked = domain({ aggregates: { counter: Counter, refused: Refused }, reactions: { asking: Asking } })
  const options = { projections: 'manual', log: recorder() } as const
  await using first = await Asked.start({ ...options, store })
  await first.counter('a').count()
  const goOn = async () => {
    await first.reactions.runOnce('asking')
    await first.counter('a').count()
  }
  // Its first write is the rejection.
  const slow = faultyStore(store, ({ method, number }) => (method === 'saveStep' && number === 1 ? goOn() : undefined))
  await using second = await Asked.start({ ...options, store: slow })
  assert.deepEqual(await second.reactions.runOnce('asking'), { position: 2, events: 1 })
})

test('a command is decided at the same time in a process that was overtaken and in the one that took over', async () => {
  const Offer = aggregate('offer', () => ({}))
    .on(Noted)
    .command('take', z.object({}), (_, __, { now }) =>
      now.getTime() < 1000 ? Noted({ position: 1, count: 1 }) : reject('TooLate'),
    )
  const aggregates = { counter: Counter, offer: Offer, order: Order }
  const Buying = reaction('buying', aggregates).on(Counted, async ({ stream: { id } }, { dispatch }) => {
    const { accepted } = await dispatch({ aggregate: 'offer', id, name: 'take', data: {} })
    await dispatch({ aggregate: 'order', id, name: 'end', data: { isPaid: accepted } })
  })
  const Shop = domain({ aggregates, reactions: { buying: Buying } })
  let nowMs = 999
  const options = { projections: 'manual', log: recorder(), environment: { now: () => nowMs } } as const
  const store = withoutLeases(memory())
  const { store: halting, waits, goOn } = halted(store, 'append')
  await using second = await Shop.start({ ...options, store })
  await second.counter('a').count()
  await using first = await Shop.start({ ...options, store: halting })
  const running = first.reactions.runOnce('buying')
  await waits()
  nowMs = 1000
  await second.reactions.runOnce('buying')
  goOn()
  await running
  assert.deepEqual(
    (await logOf(store)).map(({ type, data, recordedAt }) => [type, data, recordedAt]),
    [
      ['Counted', {}, 999],
      ['Noted', { position: 1, count: 1 }, 1000],
      ['Ended', { isPaid: true }, 1000],
    ],
  )
})

test('a command behind others of its round does not take the other way than the process that took over', async () => {
  const amount = z.object({ amount: z.int() })
  const Filled = event('Filled', amount)
  const Taken = event('Taken', amount)
  const Purse = aggregate('purse', () => 0)
    .on(Filled, (balance, data) => balance + data.amount)
    .on(Taken, (balance, data) => balance - data.amount)
    .command('fill', amount, (_, data) => Filled(data))
    .command('take', amount, (balance, data) => (balance < data.amount ? reject('Empty') : Taken(data)))
  const aggregates = { counter: Counter, purse: Purse, order: Order }
  const Paying = reaction('paying', aggregates).on(Counted, async ({ stream: { id } }, { dispatch }) => {
    const { accepted } = await dispatch({ aggregate: 'purse', id: 'p', name: 'take', data: { amount: 1 } })
    await dispatch({ aggregate: 'order', id, name: 'end', data: { isPaid: accepted } })
  })
  const Paid = domain({ aggregates, reactions: { paying: Paying } })
  const options = { projections: 'manual', log: recorder() } as const
  const store = withoutLeases(memory())
  const storing = halted(store, 'append')
  const loading = halted(storing.store, 'readStream')
  await using second = await Paid.start({ ...options, store })
  await second.counter('a').count()
  await using first = await Paid.start({ ...options, store: loading.store })
  // Both commands wait until the purse is loaded, and the purse is empty as long as neither is stored.
  const filling = first.purse('p').fill({ amount: 1 })
  const running = first.reactions.runOnce('paying')
  await until('the reaction has sent its command', () => first.load().commandsInFlight === 2)
  loading.goOn()
  await storing.waits()
  await second.reactions.runOnce('paying')
  storing.goOn()
  await Promise.all([filling, running])
  assert.deepEqual(
    (await logOf(store)).map(({ type, data }) => [type, data]),
    [
      ['Counted', {}],
      ['Ended', { isPaid: false }],
      ['Filled', { amount: 1 }],
    ],
  )
})

test('a command whose decision has failed is decided at a new time when it is tried again', async () => {
  const seen: number[] = []
  let nowMs = 1
  const Slow = aggregate('slow', () => ({}))
    .on(Counted)
    .command('go', z.object({}), (_, __, { now }) => {
      seen.push(now.getTime())
      nowMs++
      if (seen.length < 4) throw new RangeError('not yet')
      return Counted({})
    })
  const Going = reaction('going', { slow: Slow })
    .on(Noted, async ({ stream: { id } }, { dispatch }) => {
      await dispatch({ aggregate: 'slow', id, name: 'go', data: {} })
    })
    .onFailure({ retries: 1, pauseFirstMs: 0 })
  const Slowly = domain({ aggregates: { note: Note, slow: Slow }, reactions: { going: Going } })
  const environment = { now: () => nowMs }
  await using process = await Slowly.start({ projections: 'manual', log: recorder(), environment, store: memory() })
  await process.note('a').write({ position: 1, count: 1 })
  assert.equal((await process.reactions.runOnce('going')).events, 1)
  // Each time is seen twice: by the decision that asks for it, and by the one that counts.
  assert.deepEqual(seen, [1, 1, 3, 3])
})
