import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CommitTable } from './commit-table.ts'

const nameOf = (value: number) => `number ${value}`

test('An added number is found by its hash, and no other, however many there are', () => {
  // With one name for all, only the hashes distinguish them.
  const table = new CommitTable(() => '')
  const count = 100_000
  // An odd factor gives each number another hash of 30 bits.
  const hashOf = (value: number) => Math.imul(value, 0x9e3779b1) & 0x3fffffff
  for (let value = 0; value < count; value++) {
    assert.equal(table.find(hashOf(value), ''), -1)
    table.add(hashOf(value), value)
  }
  for (let value = 0; value < count; value++) assert.equal(table.find(hashOf(value), ''), value)
  for (let value = count; value < 2 * count; value++) assert.equal(table.find(hashOf(value), ''), -1)
})

test('Numbers with the same hash are distinguished by their names', () => {
  const hashes = fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 60 })
  fc.assert(
    fc.property(hashes, (added) => {
      const table = new CommitTable(nameOf)
      for (const [value, hash] of added.entries()) table.add(hash, value)
      for (const [value, hash] of added.entries()) {
        assert.equal(table.find(hash, nameOf(value)), value)
      }
    }),
  )
})

test('Hashes that differ in their first bits only are found too', () => {
  const table = new CommitTable(nameOf)
  for (let value = 0; value < 10_000; value++) table.add((value << 16) | 0x1234, value)
  for (let value = 0; value < 10_000; value++) {
    assert.equal(table.find((value << 16) | 0x1234, nameOf(value)), value)
  }
})
