/** Given, when, then for reactions: what passes, what fails, and what a failure shows. */
import assert, { AssertionError } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, event, reaction, reject } from '../../index.ts'
import { on } from './history.ts'
import { spec } from './spec.ts'

const amount = z.int().positive()
const Opened = event('Opened', z.object({ by: z.string().optional() }))
const Added = event('Added', z.object({ amount }))

const Pot = aggregate('pot', () => ({ sum: 0 }))
  .on(Opened)
  .on(Added, ({ sum }, { amount }) => ({ sum: sum + amount }))
  .command('open', z.object({}), () => Opened({}))
  .command('add', z.object({ amount }), ({ sum }, { amount }) =>
    sum + amount > 100 ? reject('Full', { sum }) : Added({ amount }),
  )

const dayMs = 86_400_000
const aggregates = { pot: Pot }

/** Gives to each pot that is opened, reports what became of it, and reminds of it a day later. */
const Gift = reaction('gift', aggregates)
  .state(() => ({ gifts: 0, sum: 0, refused: '' }))
  .on(Opened, async ({ stream: { id }, data }, { dispatch, schedule, state, setState }) => {
    const given = await dispatch({ aggregate: 'pot', id, name: 'add', data: { amount: 10 } })
    const gifts = state.gifts + 1
    if (given.accepted) setState({ gifts, sum: given.state.sum + given.events.length, refused: '' })
    else setState({ gifts, sum: 0, refused: given.rejection.code })
    if (data.by === 'nobody') return
    schedule({ aggregate: 'pot', id, name: 'add', data: { amount: 1 } }, { afterMs: dayMs })
  })
  .on(Added, async ({ stream: { id }, data }, { dispatch, setState }) => {
    if (data.amount === 13) throw new RangeError('unlucky')
    if (data.amount > 50) setState(undefined)
    if (data.amount === 99) await dispatch({ aggregate: 'pot', id, name: 'add', data: { amount: -1 } })
  })

const gift = (id: string, amount: number) => ({ aggregate: 'pot', id, name: 'add', data: { amount } }) as const
const opened = spec(Gift).when(on('p', Opened({})))

// Where it begins says nothing about which events it handles.
const late = reaction('late')
  .on(Opened, () => {})
  .from('now')
// @ts-expect-error
void (() => spec(late).given(Added({ amount: 1 })))

/** The error with which a failing expectation ends. */
async function failure(expectation: PromiseLike<unknown>): Promise<AssertionError> {
  const error = await expectation.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof AssertionError, `expected an AssertionError, got ${error}`)
  return error
}

describe('A spec of a reaction passes', () => {
  test('when commands, scheduled commands and state are as expected', async () => {
    await opened
      .dispatches(gift('p', 10))
      .schedules([gift('p', 1), { afterMs: dayMs }])
      .leaves({ gifts: 1, sum: 0, refused: '' })
    await opened.schedules([gift('p', 1), new Date(dayMs)])
    await spec(Gift)
      .when(Added({ amount: 5 }))
      .dispatchesNothing()
      .schedulesNothing()
  })

  test('with rejections, events, states and errors as answers', async () => {
    const it = spec(Gift)
    const when = on('p', Opened({}))
    await it
      .answers({ pot: { add: reject('Full', { sum: 95 }) } })
      .when(when)
      .leaves({ gifts: 1, sum: 0, refused: 'Full' })
    await it
      .answers({ pot: { add: Added({ amount: 7 }) } })
      .when(when)
      .leaves({ gifts: 1, sum: 8, refused: '' })
    await it
      .answers({ pot: { add: [Added({ amount: 7 }), Added({ amount: 2 })] } })
      .when(when)
      .leaves({ gifts: 1, sum: 11, refused: '' })
    await it
      .answers({ pot: { add: { state: { sum: 40 } } } })
      .when(when)
      .leaves({ gifts: 1, sum: 40, refused: '' })
    await it
      .answers({ pot: { add: new TypeError('down') } })
      .when(when)
      .fails({ name: 'TypeError', message: 'down' })
  })

  test('with an answer that is chosen by the id and the data of the command', async () => {
    const it = spec(Gift).answers({
      pot: { add: ({ id, data }) => (id === 'full' ? reject('Full', { sum: data.amount }) : undefined) },
    })
    await it.when(on('full', Opened({}))).leaves({ gifts: 1, sum: 0, refused: 'Full' })
    await it.when(on('empty', Opened({}))).leaves({ gifts: 1, sum: 0, refused: '' })
    await it
      .answers({ pot: { open: Opened({}) } })
      .when(on('full', Opened({})))
      .leaves({ gifts: 1, sum: 0, refused: 'Full' })
  })

  test('with the states that earlier events have left, by their keys', async () => {
    const it = spec(Gift).given(on('p', Opened({}), Opened({})), on('q', Opened({})))
    await it.when(on('p', Opened({}))).leaves({ gifts: 3, sum: 0, refused: '' })
    await it.when(on('q', Opened({}))).leaves({ gifts: 2, sum: 0, refused: '' })
    await it.when(on('q', Added({ amount: 60 }))).leaves({ gifts: 0, sum: 0, refused: '' })
  })

  test('when commands are sent once they are due, and not before', async () => {
    const it = spec(Gift)
      .at('2026-01-01T00:00:00Z')
      .given(on('p', Opened({})))
    await it.advance(dayMs - 1).dispatchesNothing()
    await it.advance(dayMs).dispatches(gift('p', 1))
    const twoDays = it.at('2026-01-01T12:00:00Z').given(on('q', Opened({})))
    await twoDays.advance(2 * dayMs).dispatches(gift('p', 1), gift('q', 1))
    await twoDays.at('2026-01-02T00:00:00Z').advance(dayMs).dispatches(gift('q', 1))
  })

  test('with the parts of a command that are expected, and without the others', async () => {
    const Telling = reaction('telling', aggregates).on(Opened, async ({ stream: { id } }, { dispatch }) => {
      const metadata = { by: 'telling', why: 'opened' }
      await dispatch({
        aggregate: 'pot',
        id,
        name: 'add',
        data: { amount: 1 },
        metadata,
        tags: ['gift'],
        commandId: 'c',
      })
    })
    const when = spec(Telling).when(on({ id: 'p', metadata: { correlationId: 'order-1' } }, Opened({})))
    await when.dispatches(gift('p', 1))
    const parts = { metadata: { why: 'opened', correlationId: 'order-1' }, tags: ['gift'], commandId: 'c' }
    await when.dispatches({ ...gift('p', 1), ...parts })
    await failure(when.dispatches({ ...gift('p', 1), metadata: { why: 'closed' } }))
    await failure(when.dispatches({ ...gift('p', 1), tags: [] }))
    await failure(when.dispatches({ ...gift('p', 1), commandId: 'd' }))
  })

  test('without aggregates, with any command', async () => {
    const Any = reaction('any').on(Opened, async ({ stream: { id, aggregate } }, { dispatch }) => {
      await dispatch({ aggregate, id, name: 'whatever', data: { free: true } })
    })
    await spec(Any)
      .when(on({ aggregate: 'safe', id: 'p' }, Opened({})))
      .dispatches({ aggregate: 'safe', id: 'p', name: 'whatever', data: { free: true } })
  })
})

describe('A spec of a reaction fails', () => {
  test('on other commands, and shows the event, both sides, the difference and the line of the test', async () => {
    const error = await failure(opened.dispatches(gift('p', 11)))
    assert.match(error.message, /^gift on Opened\(\{\}\) of 'p'\n/)
    assert.match(error.message, /expected: commands .*amount: 11/)
    assert.match(error.message, /actual: {3}commands .*amount: 10/)
    assert.match(error.message, /\+ actual - expected/)
    assert.match(error.stack!, /reaction-spec\.test\.ts/)
    assert.doesNotMatch(error.stack!, /reaction-spec\.ts/)
  })

  test('on too few or too many commands, and on none', async () => {
    await failure(opened.dispatches())
    await failure(opened.dispatches(gift('p', 10), gift('p', 10)))
    await failure(opened.dispatchesNothing())
    await failure(
      spec(Gift)
        .when(Added({ amount: 5 }))
        .dispatches(gift('spec', 5)),
    )
  })

  test('on other scheduled commands, times and states', async () => {
    await failure(opened.schedules([gift('p', 2), { afterMs: dayMs }]))
    await failure(opened.schedules([gift('p', 1), { afterMs: dayMs + 1 }]))
    await failure(opened.schedules())
    await failure(opened.schedulesNothing())
    await failure(opened.leaves({ gifts: 2, sum: 0, refused: '' }))
    await failure(opened.fails())
  })

  test('in the first expectation that is not met, whatever comes after it', async () => {
    const error = await failure(opened.dispatches().leaves({ gifts: 5, sum: 0, refused: '' }))
    assert.match(error.message, /commands/)
  })

  test('on a handler that throws, with its error as the cause', async () => {
    const unlucky = spec(Gift).when(on('p', Added({ amount: 13 })))
    const error = await failure(unlucky.dispatchesNothing())
    assert.match(error.message, /expected: no failure\nactual: {3}it failed: RangeError: unlucky/)
    assert.ok(error.cause instanceof RangeError)
    await unlucky.fails()
    await unlucky.fails(RangeError)
    await unlucky.fails(/unlucky/)
    await assert.rejects(async () => unlucky.fails(/other/), { message: /unlucky/ })
  })

  test('at an earlier event that cannot be handled', async () => {
    const it = spec(Gift).given(on('p', Added({ amount: 13 })))
    await assert.rejects(async () => it.when(on('p', Opened({}))).dispatches(gift('p', 10)), RangeError)
    await assert.rejects(async () => it.advance(1).dispatchesNothing(), RangeError)
  })

  test('on a command that its aggregate would refuse as invalid', async () => {
    await spec(Gift)
      .when(Added({ amount: 99 }))
      .fails({ code: 'COMMAND_INVALID' })
  })

  test('on a scheduled command that fails when it is due', async () => {
    const it = spec(Gift)
      .given(on('p', Opened({})))
      .answers({ pot: { add: new RangeError('late') } })
    await it.advance(dayMs).fails(/late/)
    await failure(it.advance(dayMs).dispatchesNothing())
  })

  test('on a step that fails or takes too long, after its retries', async () => {
    let tries = 0
    const failing = reaction('failing').on(Opened, async (_, { step }) => {
      const run = () => {
        tries++
        throw new RangeError('down')
      }
      await step('charge', run, { retries: 1 })
    })
    await spec(failing).when(Opened({})).fails(/down/)
    assert.equal(tries, 2)
    const hanging = reaction('hanging').on(Opened, async (_, { step }) => {
      await step('charge', () => new Promise(() => {}), { timeoutMs: 20 })
    })
    await spec(hanging).when(Opened({})).fails({ code: 'STEP_TIMED_OUT' })
  })

  test('on answers, events and times that are not good', async () => {
    const it = spec(Gift)
    const invalid = { code: 'OPTION_INVALID' }
    assert.throws(() => it.answers({ pott: {} } as never), { ...invalid, message: /pot/ })
    assert.throws(() => it.answers({ pot: { ad: reject('Full') } } as never), { ...invalid, message: /add/ })
    assert.throws(() => it.advance(-1), invalid)
    assert.throws(() => it.at('tomorrow'), invalid)
    assert.throws(() => it.when(on('p', Opened({}), Opened({}))), invalid)
    assert.throws(() => it.when({ type: 'Closed', data: {} } as never), { ...invalid, message: /Opened, Added/ })
    await it
      .answers({ pot: { add: 5 as never } })
      .when(Opened({}))
      .fails(invalid)
    await it
      .answers({ pot: { add: { type: 'Closed', data: {} } as never } })
      .when(Opened({}))
      .fails({
        code: 'EVENT_UNDECLARED',
      })
  })
})
