/** The hash table finds added numbers, and grows in small steps. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HashTable } from './hash-table.ts'

function found(table: HashTable, hash: number): number[] {
  const numbers: number[] = []
  table.seek(hash)
  for (let number = table.next(); number !== -1; number = table.next()) numbers.push(number)
  return numbers
}

test('a number is found under its hash, once, at any time while the table grows', () => {
  const hashes = fc.array(fc.oneof(fc.nat(50), fc.nat(2 ** 32 - 1)), { minLength: 400, maxLength: 5000, size: 'max' })
  fc.assert(
    fc.property(hashes, fc.nat(1), (drawn, reserved) => {
      const table = new HashTable((number) => drawn[number]!)
      if (reserved === 1) table.reserve(drawn.length / 2)
      for (const [number, hash] of drawn.entries()) {
        table.add(hash, number)
        const some = Math.floor(number / 2)
        for (const asked of [number, some]) {
          assert.equal(found(table, drawn[asked]!).filter((one) => one === asked).length, 1)
        }
      }
      for (const [number, hash] of drawn.entries()) assert.ok(found(table, hash).includes(number))
    }),
    { numRuns: 30 },
  )
})

test('no addition moves more than a few numbers', () => {
  let asked = 0
  const table = new HashTable((number) => {
    asked++
    return Math.imul(number, 0x9e3779b1) >>> 0
  })
  let most = 0
  for (let number = 0; number < 300_000; number++) {
    asked = 0
    table.add(Math.imul(number, 0x9e3779b1) >>> 0, number)
    most = Math.max(most, asked)
  }
  assert.ok(most > 0 && most <= 8, `${most} numbers moved in one addition`)
})
