/** The answers to a reaction's commands: none is lost, and a handler that runs again gets the same ones. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder, settled, until, watched } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, type Reaction, reaction, reject, type StartOptions } from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const Asked = event('Asked', z.object({}))
const Added = event('Added', z.object({ amount: z.int() }))
const Emptied = event('Emptied', z.object({}))
const Said = event('Said', z.object({ what: z.string() }))

const Question = aggregate('question', () => ({}))
  .on(Asked)
  .command('ask', z.object({}), () => Asked({}))
const Box = aggregate('box', () => ({ amount: 0 }))
  .on(Added, (state, { amount }) => ({ amount: state.amount + amount }))
  .on(Emptied, () => ({ amount: 0 }))
  .command('add', z.object({ amount: z.int() }), (_, data) => Added(data))
  .command('empty', z.object({}), ({ amount }) => (amount < 10 ? undefined : Emptied({})))
  .command('refuse', z.object({}), ({ amount }) => reject('Refused', { amount }))
const Diary = aggregate('diary', () => ({ said: [] as readonly string[] }))
  .on(Said, ({ said }, { what }) => ({ said: [...said, what] }))
  .command('say', z.object({ what: z.string() }), (_, data) => Said(data))

const aggregates = { question: Question, box: Box, diary: Diary }
type Asking = Reaction<'asking', typeof aggregates>
const Asks = reaction('asking', aggregates)
const box = { aggregate: 'box', id: 'b' } as const

const startWith = (asking: Asking, options: StartOptions = {}) =>
  domain({ aggregates, reactions: { asking } }).start({ projections: 'manual', log: recorder(), ...options })
const saidIn = async (bank: Awaited<ReturnType<typeof startWith>>) => (await bank.diary('d').state()).said

describe('A handler that runs again', () => {
  test('gets the same "nothing to do" again, even if there is something to do by now', async () => {
    const watch = watched()
    const seen: unknown[] = []
    const Emptying = Asks.on(Asked, async (_, { dispatch }) => {
      const outcome = await dispatch({ ...box, name: 'empty' })
      seen.push(outcome)
      const what = outcome.accepted && outcome.events.length > 0 ? 'emptied' : 'nothing'
      await dispatch({ aggregate: 'diary', id: 'd', name: 'say', data: { what } })
    })
    await using bank = await startWith(Emptying, { store: watch.store })
    await bank.box('b').add({ amount: 1 })
    await bank.question('q').ask()
    // The save after the handler is lost.
    watch.disturb(({ method, args }) => {
      const { to } = (method === 'saveStep' ? args[1] : { to: { position: 0 } }) as { to: { position: number } }
      return to.position > 0 ? 'before' : undefined
    })
    await assert.rejects(bank.reactions.runOnce('asking'), { code: 'STORE_UNAVAILABLE' })
    watch.disturb(() => undefined)
    await bank.box('b').add({ amount: 99 })
    await bank.reactions.runOnce('asking')
    assert.deepEqual(await saidIn(bank), ['nothing'])
    assert.deepEqual(seen[1], seen[0])
    assert.deepEqual((await bank.box('b').state()).amount, 100)
  })

  test('forgets its answers when the event is handled', async () => {
    const store = memory()
    const Both = Asks.on(Asked, async (_, { dispatch }) => {
      await dispatch({ ...box, name: 'empty' })
      await dispatch({ ...box, name: 'refuse' })
    })
    await using bank = await startWith(Both, { store })
    await bank.question('q').ask()
    await bank.reactions.runOnce('asking')
    const opened = await store.open({ now: () => 0, warn: () => {} })
    assert.deepEqual((await opened.listRows('reaction asking', { prefix: 'answer ', limit: 10 })).rows, [])
  })
})

describe('A command that a handler does not wait for', () => {
  test('is done before the event counts as handled', async () => {
    const watch = watched()
    const Careless = Asks.on(Asked, (_, { dispatch }) => void dispatch({ ...box, name: 'add', data: { amount: 1 } }))
    await using bank = await startWith(Careless, { store: watch.store })
    await bank.question('q').ask()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? gate.promise : undefined))
    let isOver = false
    const running = bank.reactions.runOnce('asking').then(() => {
      isOver = true
    })
    await until('it is sent', () => watch.count('append') === 2)
    await settled()
    assert.equal(isOver, false)
    gate.resolve()
    await running
    assert.equal((await bank.box('b').state()).amount, 1)
  })

  test('fails the event if it fails', async () => {
    const Careless = Asks.on(Asked, (_, { dispatch }) => {
      void dispatch({ ...box, name: 'add', data: { amount: 0.5 } })
    }).onFailure({ retries: 0 })
    await using bank = await startWith(Careless)
    await bank.question('q').ask()
    await assert.rejects(bank.reactions.runOnce('asking'), (error: Error) => {
      assert.equal((error.cause as { code?: string }).code, 'COMMAND_INVALID')
      return true
    })
  })

  test('is waited for, with the commands that follow from it', async () => {
    const Chained = Asks.on(Asked, (_, { dispatch }) => {
      void dispatch({ ...box, name: 'refuse' }).then(({ accepted }) =>
        dispatch({ aggregate: 'diary', id: 'd', name: 'say', data: { what: String(accepted) } }),
      )
    })
    await using bank = await startWith(Chained)
    await bank.question('q').ask()
    await bank.reactions.runOnce('asking')
    assert.deepEqual(await saidIn(bank), ['false'])
  })

  test('causes a warning if it is rejected and not awaited, and none if it is awaited', async () => {
    const log = recorder()
    const Careless = Asks.on(Asked, async (_, { dispatch }) => {
      void dispatch({ ...box, name: 'refuse' })
      const asked = dispatch({ ...box, name: 'refuse' })
      await Promise.all([asked, dispatch({ aggregate: 'diary', id: 'd', name: 'say', data: { what: 'on' } })])
    })
    await using bank = await startWith(Careless, { log })
    await bank.question('q').ask()
    await bank.reactions.runOnce('asking')
    assert.deepEqual(log.codes(), ['REACTION_COMMAND_REFUSED'])
    assert.match(log.messages[0]!, /refuse .* on box "b" was refused: Refused/)
  })

  test('is refused with a warning after the handler has returned', async () => {
    const log = recorder()
    const gate = Promise.withResolvers<void>()
    const codes: unknown[] = []
    const Late = Asks.on(Asked, (_, { dispatch }) => {
      const add = () => dispatch({ ...box, name: 'add', data: { amount: 1 } })
      void gate.promise.then(() => void add())
      void gate.promise.then(() => add().catch((error: { code?: string }) => codes.push(error.code)))
    })
    await using bank = await startWith(Late, { log })
    await bank.question('q').ask()
    await bank.reactions.runOnce('asking')
    gate.resolve()
    await settled()
    assert.deepEqual([log.codes(), codes], [['REACTION_COMMAND_REFUSED'], ['HANDLER_OVER']])
    assert.equal((await bank.box('b').state()).amount, 0)
  })
})

test('a scheduled command that is rejected causes a warning', async () => {
  const [log, environment] = [recorder(), manualEnvironment()]
  const Later = Asks.on(Asked, (_, { schedule }) => schedule({ ...box, name: 'refuse' }, { afterMs: 1000 }))
  await using bank = await startWith(Later, { log, environment })
  await bank.question('q').ask()
  await bank.reactions.runOnce('asking')
  await environment.advance(1000)
  await bank.reactions.runOnce('asking')
  assert.deepEqual(log.codes(), ['REACTION_COMMAND_REFUSED'])
})

test('an event whose command was refused because the domain stops is handled again, even if the handler swallows the error', async () => {
  const store = memory()
  const gate = Promise.withResolvers<void>()
  let isWaiting = false
  const Swallowing = Asks.on(Asked, async (_, { dispatch }) => {
    isWaiting = true
    await gate.promise
    await dispatch({ ...box, name: 'add', data: { amount: 1 } }).catch(() => {})
  })
  const bank = await startWith(Swallowing, { store, projections: 'automatic' })
  await bank.question('q').ask()
  await until('it waits', () => isWaiting)
  const stopping = bank.stop()
  gate.resolve()
  await stopping
  await using again = await startWith(Swallowing, { store })
  await again.reactions.runOnce('asking')
  assert.equal((await again.box('b').state()).amount, 1)
})
