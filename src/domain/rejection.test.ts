/** A business "no" is a value. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rejection, reject } from './rejection.ts'

test('a rejection has its code and its details', () => {
  const rejection = reject('InsufficientFunds', { balance: 1 })
  assert.ok(rejection instanceof Rejection)
  assert.equal(rejection.code, 'InsufficientFunds')
  assert.deepEqual(rejection.details, { balance: 1 })
})

test('a rejection without details has none', () => {
  assert.equal(reject('NotOpen').details, undefined)
})

test('a rejection is not an error', () => {
  assert.ok(!(reject('NotOpen') instanceof Error))
})
