import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, event } from '../index.ts'
import { aggregateType } from './aggregate-type.ts'
import { handedState, receivedState } from './handed-state.ts'

const Put = event('Put', z.object({ amount: z.number() }))
const stream = { aggregate: 'vault', id: 'v' }
const plain = aggregate('vault', () => ({ since: new Date(0) as unknown })).on(Put, (state) => state)
const type = aggregateType(plain, {})
const loaded = { state: { since: new Date(5) }, sequence: 3, position: 9, checksum: 7 }

describe('A state for the next owner', () => {
  test('is what it was, and frozen', () => {
    const handed = JSON.parse(JSON.stringify(handedState(type, stream, loaded)))
    const received = receivedState(type, handed)!
    assert.deepEqual(received, loaded)
    assert.ok(Object.isFrozen(received.state))
  })

  test('is not used if other functions or another revision of the state have made it', () => {
    const handed = handedState(type, stream, loaded)!
    const others = aggregate('vault', () => ({ since: new Date(1) as unknown })).on(Put, (state) => state)
    assert.equal(receivedState(aggregateType(others, {}), handed), undefined)
    assert.equal(receivedState(aggregateType(plain, { stateRevision: 2 }), handed), undefined)
  })

  test('is left out if it cannot be sent', () => {
    assert.equal(handedState(type, stream, { ...loaded, state: { close: () => {} } }), undefined)
  })
})
