/** Whose failure it is when something fails below a projection or a reaction. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StoreError } from '../domain/error.ts'
import { isOfStore, isOutage } from './blame.ts'

test('a store that stored nothing for certain has failed as one that cannot be asked has: that is waited for', () => {
  for (const code of ['NOT_STORED', 'STORE_UNAVAILABLE'] as const) {
    const error = new StoreError(code, { store: 'sqlite', doing: 'appending' })
    assert.ok(isOfStore(error), code)
    assert.ok(isOutage(error), code)
  }
})
