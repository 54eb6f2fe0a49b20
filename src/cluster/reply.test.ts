import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../domain/error.ts'
import type { Accepted, Outcome } from '../domain/outcome.ts'
import { reject } from '../domain/rejection.ts'
import { replyText } from './reply.ts'
import { decodeError, decodeOutcome, fromOwner, type Reply, type Said, type SentCommand } from './wire.ts'

const stream = { aggregate: 'a', id: '1' }
const ids = { commandId: 'c', idBy: 'caller' } as const
const command: SentCommand = { stream, name: 'n', ...ids }

function replyTo(outcome: Outcome): Reply {
  const message = fromOwner(JSON.parse(replyText(1, command, { outcome })) as Said)
  assert.ok(message.say === 'reply' && message.n === 1)
  return message.reply
}

const accepted = (state: unknown, events: number = 0): Outcome => {
  const facts = { stream, metadata: {}, tags: [], recordedAt: new Date(5), revision: 1, commitId: 'c' }
  const event = (sequence: number) => ({ ...facts, type: 'E', data: {}, sequence, position: sequence })
  const recorded = Array.from({ length: events }, (_, i) => event(i + 1))
  return { accepted: true, state, sequence: 1, position: 1, events: recorded as never }
}

describe('A reply', () => {
  test('gives the other side the whole outcome, whatever its events have', () => {
    const usual = accepted({ since: new Date(7), count: 1 }, 1) as Accepted<unknown, object>
    const [event] = usual.events
    const outcomes = [
      usual,
      { ...usual, state: undefined },
      { ...usual, state: { list: [-0, Number.NaN, undefined], $own: 1, none: null } },
      { ...usual, events: [{ ...event, data: { at: [1, 'x', null] }, metadata: { epoch: 3 } }] },
      { ...usual, events: [{ ...event, tags: ['t'] }] },
      { ...usual, events: [{ ...event, revision: 2 }] },
      { ...accepted({ count: 2 }, 2), sequence: 2, position: 2 },
      accepted('nothing to do'),
    ] as Outcome[]
    for (const outcome of outcomes) {
      const reply = replyTo(outcome)
      assert.ok('outcome' in reply)
      assert.deepEqual(decodeOutcome(command, reply.outcome), outcome)
    }
  })

  test('leaves out a state that is too long or cannot be sent', () => {
    for (const state of ['x'.repeat(20_000_000), { close: () => {} }]) {
      assert.deepEqual(replyTo(accepted(state)), { outcome: { sequence: 1, position: 1, events: [] } })
    }
  })

  test('is an error if a rejection is too long or cannot be sent', () => {
    const part = 'x'.repeat(66_000_000)
    for (const details of [part, { close: () => {} }]) {
      const reply = replyTo({ accepted: false, rejection: reject('Long', details) })
      assert.ok('error' in reply && hasCode(decodeError(reply.error), 'DATA_NOT_JSON'))
    }
  })

  test('says that the outcome is unknown if stored events cannot be sent', () => {
    const outcome = accepted('s', 1) as Accepted<string, { readonly data: unknown }>
    const broken = { ...outcome, events: [{ ...outcome.events[0], data: () => {} }] } as unknown as Outcome
    const reply = replyTo(broken)
    assert.ok('error' in reply && hasCode(decodeError(reply.error), 'OUTCOME_UNKNOWN'))
  })
})
