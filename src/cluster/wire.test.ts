import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConflictError, hasCode, InputError, MnemeError, StoreError } from '../domain/error.ts'
import { reject } from '../domain/rejection.ts'
import { decodeError, decodeOutcome, encodeError, encodeOutcome, replyText } from './wire.ts'

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
    const got = await decodeOutcome(stream, overTheWire(encodeOutcome({ accepted: false, rejection })), load)
    assert.ok(!got.accepted)
    assert.deepEqual(got.rejection, rejection)
  })

  test('a state that is too large is left out', () => {
    const outcome = { sequence: 1, position: 1, events: [], state: 'x'.repeat(20_000_000) }
    const { reply } = JSON.parse(replyText(1, { outcome })) as { readonly reply: unknown }
    assert.deepEqual(reply, { outcome: { sequence: 1, position: 1, events: [] } })
  })

  test('a state that cannot be sent is loaded', async () => {
    const state = { close: () => {} }
    const sent = overTheWire(encodeOutcome({ accepted: true, state, sequence: 4, position: 9, events: [] }))
    assert.deepEqual(await decodeOutcome(stream, sent, load), {
      accepted: true,
      state: 'loaded',
      sequence: 4,
      position: 9,
      events: [],
    })
  })
})
