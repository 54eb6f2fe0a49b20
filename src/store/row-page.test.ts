/** Pages of rows in memory: binary search, and the conditions of the port. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../domain/json.ts'
import { expectFoundFarBehind } from '../testing/conformance/row-listing.ts'
import { memory } from './memory/memory.ts'
import { OrderedKeys } from './ordered-keys.ts'
import { isMet, rowPage } from './row-page.ts'
import type { RowQuery } from './store.ts'

const keys = ['', 'a', 'a b', 'ab', 'abc', 'b', '日本', '😀', '\uffff'].sort()
const listed = (page: Partial<RowQuery>) =>
  rowPage(OrderedKeys.of(keys), (key) => ({ key }), { limit: 100, ...page }).rows.map(({ key }) => key)

test('a page has the keys after a key and with a prefix, for any bounds', () => {
  for (const prefix of [undefined, ...keys, 'x', '\ud83d']) {
    for (const after of [undefined, ...keys, 'aa', 'zz']) {
      for (const limit of [1, 3, 100]) {
        const wanted = keys.filter((key) => key.startsWith(prefix ?? '') && (after === undefined || key > after))
        const page = { limit, ...(prefix !== undefined && { prefix }), ...(after !== undefined && { after }) }
        assert.deepEqual(listed(page), wanted.slice(0, limit), JSON.stringify(page))
      }
    }
  }
})

test('only the rows of the page are read', () => {
  const many = Array.from({ length: 10_000 }, (_, i) => `${100_000 + i}`)
  let looked = 0
  const load = () => {
    looked++
    return {}
  }
  rowPage(OrderedKeys.of(many), load, { prefix: '1050', after: '105003', limit: 50 })
  assert.equal(looked, 50)
})

test('the limit counts the rows that meet the conditions', () => {
  const load = (key: string): Json => ({ long: key.length > 1 })
  const { rows } = rowPage(OrderedKeys.of(keys), load, { where: [{ field: 'long', oneOf: [true] }], limit: 2 })
  assert.deepEqual(
    rows.map(({ key }) => key),
    ['a b', 'ab'],
  )
})

test('a page ends when it has looked at many rows', async () => {
  await expectFoundFarBehind(await memory().open({ warn: () => {}, now: () => 0 }))
})

test('a field meets a condition if it has the same type and is within it', () => {
  const wanted = { field: 'a', oneOf: [1, 'x', false] }
  for (const a of [1, 'x', false]) assert.ok(isMet(wanted, { a }))
  for (const a of ['1', 'X', 0, true, null, [1], { a: 1 }]) assert.ok(!isMet(wanted, { a }))
  const bounded = { field: 'a', least: -1, most: 2.5 }
  for (const a of [-1, 0, 2.5]) assert.ok(isMet(bounded, { a }))
  for (const a of [-1.1, 2.6, '0', true, null, [0]]) assert.ok(!isMet(bounded, { a }))
  assert.ok(isMet(bounded, { a: { $number: 'Infinity' } }), 'numbers that JSON lacks may be anywhere')
  for (const value of [null, 1, 'a', [1], {}, { b: 1 }]) assert.ok(!isMet({ field: 'a', least: 0 }, value))
  assert.ok(!isMet({ field: 'toString', oneOf: ['x'] }, {}))
})
