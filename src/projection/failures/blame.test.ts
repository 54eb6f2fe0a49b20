/** Whose failure it is when something fails under a projection or a reaction. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventError, LoadError, OutcomeUnknownError, StoreError } from '../../domain/error.ts'
import { isNewer, isOfStore, isOutage } from './blame.ts'

test('a store that certainly stored nothing counts as unavailable, and is waited for', () => {
  for (const code of ['NOT_STORED', 'STORE_UNAVAILABLE'] as const) {
    const error = new StoreError(code, { store: 'sqlite', doing: 'appending' })
    assert.ok(isOfStore(error), code)
    assert.ok(isOutage(error), code)
  }
})

test('an error is newer if any of its causes is, and an undeclared event that the program itself decides is not', () => {
  const stream = { aggregate: 'account', id: 'ada' }
  const undeclared = { aggregate: 'account', event: 'Frozen', known: [] }
  const stored = new EventError('EVENT_UNDECLARED', { ...undeclared, stream, sequence: 1 })
  const revision = new EventError('EVENT_NEWER', { event: 'Opened', revision: 2, known: 1 })
  const box = new StoreError('PERSONAL_TOO_NEW', { what: 'A stored personal value', version: 2, known: 1 })
  for (const newer of [stored, revision, box]) {
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
