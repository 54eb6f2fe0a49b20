/** Whose failure it is when something fails below a projection or a reaction. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventError, LoadError, OutcomeUnknownError, StoreError } from '../../domain/error.ts'
import { isNewer, isOfStore, isOutage } from './blame.ts'

test('a store that stored nothing for certain has failed as one that cannot be asked has: that is waited for', () => {
  for (const code of ['NOT_STORED', 'STORE_UNAVAILABLE'] as const) {
    const error = new StoreError(code, { store: 'sqlite', doing: 'appending' })
    assert.ok(isOfStore(error), code)
    assert.ok(isOutage(error), code)
  }
})

test('what is newer than the program is known wherever it is a cause, and what the program decides itself is not newer', () => {
  const stream = { aggregate: 'account', id: 'ada' }
  const undeclared = { aggregate: 'account', event: 'Frozen', known: [] }
  const stored = new EventError('EVENT_UNDECLARED', { ...undeclared, stream, sequence: 1 })
  for (const newer of [stored, new EventError('EVENT_NEWER', { event: 'Opened', revision: 2, known: 1 })]) {
    const notLoaded = new LoadError('AGGREGATE_LOAD_FAILED', { stream, retryInMs: 1 }, newer)
    const unknown = new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId: 'c' }, newer)
    for (const error of [newer, notLoaded, unknown, new Error('of a handler', { cause: notLoaded })]) {
      assert.ok(isNewer(error), String(error))
    }
    assert.equal(notLoaded.retryable, false)
  }
  assert.ok(!isNewer(new EventError('EVENT_UNDECLARED', undeclared)))
  const circular = new Error('circular')
  circular.cause = circular
  for (const other of [circular, undefined, 'text', new Error('no cause')]) assert.ok(!isNewer(other))
})
