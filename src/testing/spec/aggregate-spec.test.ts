/** Given, when, then: what passes, what fails, and what a failure shows. */
import assert, { AssertionError } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate } from '../../domain/aggregate.ts'
import { event, type NewEventOf } from '../../domain/event.ts'
import { reject } from '../../domain/rejection.ts'
import { spec } from './spec.ts'

const Booked = event('Booked', z.object({ at: z.coerce.date(), seat: z.string().default('any'), id: z.string() }))
const Cancelled = event('Cancelled', z.object({ reason: z.string() }))
type State = { readonly booked: readonly string[]; readonly since: Date | undefined }

const Booking = aggregate('booking', (): State => ({ booked: [], since: undefined }))
  .on(Booked, ({ booked, since }, { seat }, { recordedAt }) => ({
    booked: [...booked, seat],
    since: since ?? recordedAt,
  }))
  .on(Cancelled, () => ({ booked: [], since: undefined }))
  .command('book', z.object({ seat: z.string().trim().min(1) }), ({ booked }, { seat }, { now, newId }) => {
    if (booked.includes(seat)) return reject('Taken', { seat, by: { count: booked.length } })
    return booked.length > 1 ? reject('Full') : Booked({ at: now, seat, id: newId() })
  })
  .command('bookTwo', z.object({}), (_, __, { now, newId }) => [
    Booked({ at: now, id: newId() }),
    Booked({ at: now, id: newId() }),
  ])
  .command('cancel', z.object({ reason: z.string().optional() }), ({ booked }, { reason = 'none' }) =>
    booked.length === 0 ? undefined : Cancelled({ reason }),
  )
  .command('spoil', z.object({ how: z.string() }), (state, { how }): NewEventOf<typeof Cancelled> => {
    if (how === 'throw') throw new Error('bug')
    if (how === 'mutate') (state.booked as string[]).push('x')
    if (how === 'undeclared') return { type: 'Unheard', data: {} } as never
    return Cancelled(how === 'invalid' ? ({ reason: 5 } as never) : { reason: (() => 1) as never })
  })

const epoch = new Date(0)
const a = Booked({ at: epoch, seat: 'A', id: 'x' })

/** The message that a failing expectation throws. */
function failure(expectation: () => unknown): string {
  try {
    expectation()
  } catch (error) {
    assert.ok(error instanceof AssertionError, `expected an AssertionError, got ${error}`)
    return error.message
  }
  return assert.fail('it passed')
}

describe('A spec passes', () => {
  test('when the events, their data and the state are as expected', () => {
    spec(Booking)
      .when.book({ seat: 'B' })
      .emits(Booked({ at: epoch, seat: 'B', id: 'id-1' }))
      .leaves({ since: epoch, booked: ['B'] })
  })

  test('with input that went through the schema of its command', () => {
    spec(Booking)
      .when.book({ seat: '  B ' })
      .leaves({ booked: ['B'], since: epoch })
  })

  test('with ids that are the same in every run', () => {
    const two = [Booked({ at: epoch, id: 'id-1' }), Booked({ at: epoch, id: 'id-2' })]
    const given = spec(Booking)
    for (let run = 0; run < 2; run++) given.when.bookTwo().emits(...two)
  })

  test('with events as production would give them: with dates and defaults from their schemas', () => {
    spec(Booking)
      .when.bookTwo({})
      .leaves({ booked: ['any', 'any'], since: epoch })
    spec(Booking)
      .given(Booked({ at: epoch, id: 'x' }))
      .when.cancel()
      .emits(Cancelled({ reason: 'none' }))
    spec(Booking)
      .when.bookTwo()
      .emits(Booked({ at: epoch, seat: 'any', id: 'id-1' }), Booked({ id: 'id-2', at: epoch, seat: 'any' }))
  })

  test('when there is nothing to do', () => {
    spec(Booking).when.cancel({}).emitsNothing().leaves({ booked: [], since: undefined })
    spec(Booking).when.cancel().emits()
  })

  test('when a rejection has the code, and the details if they are given', () => {
    const given = spec(Booking).given(a)
    given.when.book({ seat: 'A' }).rejects('Taken')
    given.when.book({ seat: 'A' }).rejects('Taken', { by: { count: 1 }, seat: 'A' })
  })

  test('when a rejected command has not changed the state', () => {
    spec(Booking)
      .given(a)
      .when.book({ seat: 'A' })
      .leaves({ booked: ['A'], since: epoch })
  })

  test('when the given events leave the state that is expected', () => {
    spec(Booking)
      .leaves({ booked: [], since: undefined })
      .given(a)
      .leaves({ since: epoch, booked: ['A'] })
      .when.book({ seat: 'A' })
      .rejects('Taken')
  })

  test('with the time that was set, for decisions and for given events', () => {
    const early = new Date('2026-01-01T00:00:00Z')
    const late = '2026-02-02T00:00:00.000Z'
    spec(Booking)
      .at(early)
      .given(a)
      .at(late)
      .when.book({ seat: 'B' })
      .emits(Booked({ at: new Date(late), seat: 'B', id: 'id-1' }))
      .leaves({ booked: ['A', 'B'], since: early })
  })

  test('from the same history any number of times', () => {
    const given = spec(Booking).given(a)
    given
      .given(Cancelled({ reason: 'x' }))
      .when.book({ seat: 'A' })
      .leaves({ booked: ['A'], since: epoch })
    given.when.book({ seat: 'A' }).rejects('Taken')
  })
})

describe('A spec fails', () => {
  const given = spec(Booking).given(a)

  test('on other events, and shows the command, the state, both sides and the difference', () => {
    const message = failure(() => given.when.book({ seat: 'B' }).emits(Booked({ at: epoch, seat: 'C', id: 'id-1' })))
    assert.match(message, /booking\.book\(\{ seat: 'B' \}\) on \{ booked: \[ 'A' \]/)
    assert.match(message, /expected: events .*seat: 'C'/)
    assert.match(message, /actual: {3}events .*seat: 'B'/)
    assert.match(message, /\+ actual - expected/)
  })

  test('on too few or too many events, and on a wrong order', () => {
    const one = Booked({ at: epoch, id: 'id-1' })
    const two = Booked({ at: epoch, id: 'id-2' })
    failure(() => spec(Booking).when.bookTwo().emits(one))
    failure(() => spec(Booking).when.bookTwo().emits(one, two, two))
    failure(() => spec(Booking).when.bookTwo().emits(two, one))
    failure(() => spec(Booking).when.bookTwo().emitsNothing())
  })

  test('when events were expected and the command was rejected, and shows the rejection', () => {
    const message = failure(() => given.when.book({ seat: 'A' }).emits(a))
    assert.match(message, /actual: {3}a rejection Taken with \{ by: \{ count: 1 \}, seat: 'A' \}/)
    failure(() => given.when.book({ seat: 'A' }).emitsNothing())
  })

  test('when a rejection was expected and the command was accepted, and shows its events', () => {
    const message = failure(() => given.when.book({ seat: 'B' }).rejects('Taken'))
    assert.match(message, /expected: a rejection Taken\nactual: {3}events .*Booked/)
    assert.match(
      failure(() =>
        spec(Booking)
          .when.cancel()
          .rejects(undefined as never),
      ),
      /no events/,
    )
  })

  test('on another code or other details', () => {
    assert.match(
      failure(() => given.when.book({ seat: 'A' }).rejects('Full')),
      /code of the rejection 'Full'/,
    )
    const other = { seat: 'A', by: { count: 2 } }
    assert.match(
      failure(() => given.when.book({ seat: 'A' }).rejects('Taken', other)),
      /count: 2/,
    )
  })

  test('on another state', () => {
    assert.match(
      failure(() => given.when.book({ seat: 'B' }).leaves({ booked: [], since: epoch })),
      /the state/,
    )
    const message = failure(() => given.leaves({ booked: [], since: epoch }))
    assert.match(message, /booking after 1 event\nexpected: the state .*booked: \[\]/)
  })

  test('with a stack that begins at the line of the test', () => {
    try {
      given.when.book({ seat: 'B' }).emitsNothing()
      assert.fail('it passed')
    } catch (error) {
      const [first] = ((error as Error).stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
      assert.match(first ?? '', /spec\.test\.ts/)
    }
  })
})

describe('A spec throws what production would', () => {
  test('on input that the command’s schema refuses', () => {
    assert.throws(() => spec(Booking).when.book({ seat: ' ' }), {
      code: 'COMMAND_INVALID',
      message: /booking\.book.*seat/,
    })
  })

  test('on given and expected events that the aggregate does not know', () => {
    const unheard = { type: 'Unheard', data: {} } as never
    assert.throws(() => spec(Booking).given(unheard), { code: 'EVENT_UNDECLARED' })
    assert.throws(() => spec(Booking).when.cancel().emits(unheard), { code: 'EVENT_UNDECLARED' })
  })

  test('on given events that do not pass their schema, or are not JSON', () => {
    assert.throws(() => spec(Booking).given(Cancelled({ reason: 5 as never })), { code: 'EVENT_INVALID' })
    assert.throws(() => spec(Booking).given(Cancelled({ reason: (() => 1) as never })), { code: 'DATA_NOT_JSON' })
  })

  const spoils = { throw: 'DECIDE_FAILED', mutate: 'DECIDE_FAILED', undeclared: 'EVENT_UNDECLARED' }
  for (const [how, code] of Object.entries({ ...spoils, invalid: 'EVENT_INVALID', function: 'DATA_NOT_JSON' })) {
    test(`on a bad decision: ${how}`, () => {
      assert.throws(() => spec(Booking).when.spoil({ how }), { code })
    })
  }

  test('on an asynchronous schema', () => {
    const slow = z.object({}).refine(async () => true)
    const Slow = aggregate('slow', () => 0).command('go', slow, () => undefined)
    assert.throws(() => spec(Slow).when.go(), { code: 'SCHEMA_ASYNC' })
  })

  test('on an invalid time', () => {
    assert.throws(() => spec(Booking).at('tomorrow'), { code: 'OPTION_INVALID' })
  })
})
