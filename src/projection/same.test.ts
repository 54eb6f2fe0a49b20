/** Whether two values are the same by their contents. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSame } from './same.ts'

const values: readonly unknown[] = [
  ...[undefined, null, 0, -0, 1, Number.NaN, '', '1', true, false, 1n],
  ...[
    [],
    [1],
    [1, 2],
    [[1]],
    [undefined],
    {},
    { a: 1 },
    { a: 2 },
    { b: 1 },
    { a: 1, b: 2 },
    { a: undefined },
    { a: [] },
  ],
  ...[new Date(0), new Date(1), { a: new Date(0) }, { 0: 1 }],
]

test('each value is the same as a copy of itself, and as no other', () => {
  for (const [i, value] of values.entries()) {
    for (const [j, other] of values.entries()) {
      assert.equal(isSame(value, structuredClone(other)), i === j, `${i} and ${j}`)
    }
  }
})

test('the order of the fields is none of the contents', () => {
  assert.ok(isSame({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }))
})

test('what an object inherits is none of its contents', () => {
  assert.equal(isSame({ toString: undefined }, { constructor: undefined }), false)
})
