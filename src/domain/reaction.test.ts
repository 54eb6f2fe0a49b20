/** The definition of a reaction. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { event, type RecordedEvent } from './event.ts'
import { reaction } from './reaction.ts'

const Paid = event('Paid', z.object({}))
const Closed = event('Closed', z.object({}))
const paid: RecordedEvent = {
  type: 'Paid',
  data: {},
  stream: { aggregate: 'account', id: 'ada' },
  sequence: 1,
  position: 7,
  recordedAt: new Date(0),
  metadata: {},
  tags: [],
  revision: 1,
  commitId: 'c',
}

test('it has the given parts, and is frozen', () => {
  const Plain = reaction('plain')
  const handling = Plain.on(Paid, () => {}).on(Closed, () => {})
  assert.deepEqual(
    [...handling.handlings.keys()].map(({ type }) => type),
    ['Paid', 'Closed'],
  )
  assert.deepEqual([Plain.handlings.size, Plain.memory, Plain.policy.giveUp], [0, undefined, 'stop'])
  assert.equal(handling.onFailure({ giveUp: 'park' }).policy.giveUp, 'park')
  assert.equal(handling.policy.giveUp, 'stop')
  assert.ok(Object.isFrozen(handling))
})

test('a state is stored under the id of the stream, or under the chosen key', () => {
  const counting = reaction('counting').state(() => 0)
  assert.deepEqual([counting.memory?.initial(), counting.memory?.key(paid)], [0, 'ada'])
  const byPosition = reaction('counting').state(
    () => 0,
    ({ position }) => `${position}`,
  )
  assert.equal(byPosition.memory?.key(paid), '7')
})

test('a definition that cannot work is refused where it is written', () => {
  const Plain = reaction('plain').on(Paid, () => {})
  const bad: readonly (() => unknown)[] = [
    () => Plain.on(Paid, () => {}),
    () => Plain.on(Closed, undefined as never),
    () => Plain.state(0 as never),
    () => Plain.state(() => 0, 'id' as never),
  ]
  for (const define of bad) assert.throws(define, { code: 'DEFINITION_INVALID', message: /The reaction plain/ })
  assert.throws(() => reaction(''), { code: 'ID_INVALID' })
  assert.throws(() => Plain.onFailure({ pauseMaxMs: -1 }), { code: 'OPTION_INVALID' })
})
