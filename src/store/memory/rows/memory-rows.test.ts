/**
 * The store in memory keeps copies beside its log. It neither keeps a caller's objects nor returns objects that a
 * caller can change.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noCheckpoint } from '../../checkpoint.ts'
import { MemoryRows } from './memory-rows.ts'

const to = { position: 1, term: 1, note: {}, checksum: 0 }

test('a row is a copy of what was saved, and cannot be changed', () => {
  const rows = new MemoryRows()
  const value = { tags: ['a'] }
  rows.saveStep('p', { from: noCheckpoint, to, rows: [{ key: 'k', value }] })
  value.tags.push('b')
  const [found] = rows.loadRows('p', ['k'])
  assert.deepEqual(found, { tags: ['a'] })
  assert.throws(() => (found as unknown as typeof value).tags.push('c'), TypeError)
})

test('a step whose rows are not JSON changes nothing', () => {
  const rows = new MemoryRows()
  const bad = [
    { key: 'good', value: 1 },
    { key: 'bad', value: Number.NaN },
  ]
  assert.throws(() => rows.saveStep('p', { from: noCheckpoint, to, rows: bad }), { code: 'DATA_NOT_JSON' })
  assert.deepEqual(rows.loadRows('p', ['good']), [undefined])
  assert.deepEqual(rows.loadCheckpoint('p'), noCheckpoint)
})

test('a lease that ends further ahead than its duration was taken before the clock went back, and has expired', () => {
  const rows = new MemoryRows()
  rows.acquireLease('l', 'one', 1000, 1_000_000)
  assert.equal(rows.acquireLease('l', 'two', 1000, 1_000_500).owner, 'one')
  assert.equal(rows.acquireLease('l', 'two', 1000, 10).owner, 'two')
})
