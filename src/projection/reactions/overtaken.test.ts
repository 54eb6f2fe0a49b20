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
import { faultyStore } from '../../testing/faulty-store.ts'

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

/** A process that waits before it reads the states, until `goOn` is called. */
async function slow(store: StoreFactory) {
  const gate = Promise.withResolvers<void>()
  let isWaiting = false
  const halting = faultyStore(store, ({ method }) => {
    if (method !== 'loadRows') return undefined
    isWaiting = true
    return gate.promise
  })
  const process = await start(halting)
  const running = process.reactions.runOnce('counting')
  await until('it waits', () => isWaiting)
  return { process, running, goOn: gate.resolve }
}

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

test('a command behind others of its round does not take the other way than the process that took over', async () => {
  const amount = z.object({ amount: z.int() })
  const Filled = event('Filled', amount)
  const Taken = event('Taken', amount)
  const Ended = event('Ended', z.object({ isPaid: z.boolean() }))
  const Purse = aggregate('purse', () => 0)
    .on(Filled, (balance, data) => balance + data.amount)
    .on(Taken, (balance, data) => balance - data.amount)
    .command('fill', amount, (_, data) => Filled(data))
    .command('take', amount, (balance, data) => (balance < data.amount ? reject('Empty') : Taken(data)))
  const Order = aggregate('order', () => ({}))
    .on(Ended)
    .command('end', z.object({ isPaid: z.boolean() }), (_, data) => Ended(data))
  const aggregates = { counter: Counter, purse: Purse, order: Order }
  const Paying = reaction('paying', aggregates).on(Counted, async ({ stream: { id } }, { dispatch }) => {
    const { accepted } = await dispatch({ aggregate: 'purse', id: 'p', name: 'take', data: { amount: 1 } })
    await dispatch({ aggregate: 'order', id, name: 'end', data: { isPaid: accepted } })
  })
  const Paid = domain({ aggregates, reactions: { paying: Paying } })
  const options = { projections: 'manual', log: recorder() } as const
  const store = withoutLeases(memory())
  const [loaded, stored] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let isStoring = false
  const halting = faultyStore(store, ({ method }) => {
    if (method === 'readStream') return loaded.promise
    if (method !== 'append') return undefined
    isStoring = true
    return stored.promise
  })
  await using second = await Paid.start({ ...options, store })
  await second.counter('a').count()
  await using first = await Paid.start({ ...options, store: halting })
  // Both commands wait until the purse is loaded, and the purse is empty as long as neither is stored.
  const filling = first.purse('p').fill({ amount: 1 })
  const running = first.reactions.runOnce('paying')
  await until('the reaction has sent its command', () => first.load().commandsInFlight === 2)
  loaded.resolve()
  await until('the first process stores', () => isStoring)
  await second.reactions.runOnce('paying')
  stored.resolve()
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
