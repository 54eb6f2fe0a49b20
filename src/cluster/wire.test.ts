import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConflictError, DecisionError, hasCode, InputError, MnemeError, StoreError } from '../domain/error.ts'
import { reject } from '../domain/rejection.ts'
import {
  commandText,
  completeOutcome,
  decodeError,
  encodeError,
  encodeOutcome,
  fromSender,
  type Said,
  type SentCommand,
} from './wire.ts'

const stream = { aggregate: 'a', id: '1' }
const overTheWire = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value
const load = async () => 'loaded'

describe('Over the wire', () => {
  test('errors keep their class, code, facts and causes', () => {
    const cause = new StoreError('STORE_UNAVAILABLE', { store: 's', while: 'append' } as never, new Error('no route'))
    const error = new ConflictError('CONFLICT', { stream, tries: 3, sequence: 7 }, cause)
    const got = decodeError(overTheWire(encodeError(error)))
    assert.ok(got instanceof ConflictError && hasCode(got, 'CONFLICT'))
    assert.deepEqual([got.facts, got.message, got.retryable], [error.facts, error.message, error.retryable])
    assert.ok(got.cause instanceof StoreError && got.cause.code === 'STORE_UNAVAILABLE')
    assert.match(String((got.cause as Error).cause), /no route/)
  })

  test('errors of users keep name and message, and what is thrown but no error becomes one', () => {
    const got = decodeError(overTheWire(encodeError(new RangeError('too far'))))
    assert.deepEqual([got.name, got.message, got instanceof MnemeError], ['RangeError', 'too far', false])
    assert.equal(decodeError(overTheWire(encodeError('oh'))).message, 'oh')
  })

  test('an error whose facts cannot be sent keeps its message', () => {
    const error = new InputError('AGGREGATE_UNKNOWN', { aggregate: () => {}, known: [] })
    assert.equal(decodeError(overTheWire(encodeError(error))).message, error.message)
  })

  test('causes of causes end somewhere', () => {
    const error = new Error('round')
    error.cause = error
    assert.equal(decodeError(overTheWire(encodeError(error))).message, 'round')
  })

  test('rejections keep details that JSON does not have', async () => {
    const rejection = reject('TooLate', { since: new Date(5), ids: new Set(['a']) })
    const got = await completeOutcome(
      { stream, commandId: 'c' },
      overTheWire(encodeOutcome({ accepted: false, rejection })),
      load,
    )
    assert.ok(!got.accepted)
    assert.deepEqual(got.rejection, rejection)
  })

  test('errors of users may have any name and message, which are cut if they are long', () => {
    const empty: object = Object.create(null)
    const named = Object.assign(new Error('x'), { name: { first: 1 }, message: 5n })
    const hidden = Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('nobody may read this')
      },
    })
    const decided = new DecisionError('DECIDE_FAILED', { stream, command: 'c' }, empty)
    for (const thrown of [empty, named, hidden, decided, Object.assign(new Error('x'), { message: empty })]) {
      const got = decodeError(overTheWire(encodeError(thrown)))
      assert.ok(typeof got.message === 'string' && typeof got.name === 'string')
    }
    assert.equal(decodeError(overTheWire(encodeError(decided))).name, 'DecisionError')
    assert.equal(decodeError(overTheWire(encodeError(new Error('x'.repeat(20_000_000))))).message.length, 10_000)
  })

  test('a command is the same that is written out, with everything that it may have', () => {
    const odd = '"\\\n\u2028'
    const small: SentCommand = { stream: { aggregate: odd, id: odd }, name: odd, commandId: odd }
    const more = { tenant: odd, data: { a: [odd] }, idBy: 'caller', isRepeated: true, hasFence: true } as const
    const whole: SentCommand = { ...small, ...more, expectedSequence: 0, metadata: { a: 1 }, tags: [odd] }
    for (const command of [small, { ...small, data: null, tags: undefined }, { ...small, data: [odd] }, whole]) {
      const written = fromSender(JSON.parse(commandText(7, command)) as Said)
      assert.deepEqual(overTheWire(written), overTheWire({ say: 'command', n: 7, command }))
    }
  })

  test('an outcome without its state is given the loaded one', async () => {
    const outcome = { accepted: true, state: 'own', sequence: 4, position: 9, events: [] } as const
    assert.deepEqual(
      await completeOutcome({ stream, commandId: 'c' }, overTheWire(encodeOutcome(outcome, false)), load),
      {
        ...outcome,
        state: 'loaded',
      },
    )
  })
})
