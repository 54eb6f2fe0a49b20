/** Whether two values have the same contents. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSame } from './same.ts'

const values: readonly unknown[] = [
  ...[undefined, null, 0, 1, Number.NaN, '', '1', true, false, 1n],
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
  ...[new Map(), new Map([['a', 1]]), new Map([['a', 2]]), new Map([['b', 1]]), new Map([[{ a: 1 }, 1]])],
  ...[new Set(), new Set(['a']), new Set(['b']), new Set(['a', 'b']), new Set([{ a: 1 }]), new Set([new Date(0)])],
]

test('each value is the same as its copy, and as no other value', () => {
  for (const [i, value] of values.entries()) {
    for (const [j, other] of values.entries()) {
      assert.equal(isSame(value, structuredClone(other)), i === j, `${i} and ${j}`)
    }
  }
})

test('0 is the same as -0', () => {
  assert.ok(isSame(0, -0) && isSame([-0], [0]) && isSame(new Set([0]), new Set([-0])))
})

test('the order in a Map or a Set does not matter', () => {
  assert.ok(isSame(new Set([1, { a: 2 }]), new Set([{ a: 2 }, 1])))
  const [one, other]: [object, object] = [{ a: 1 }, { b: 2 }]
  assert.ok(
    isSame(
      new Map([
        [one, 1],
        [other, 2],
      ]),
      new Map([
        [{ ...other }, 2],
        [{ ...one }, 1],
      ]),
    ),
  )
  assert.equal(
    isSame(
      new Map([
        [one, 1],
        [other, 2],
      ]),
      new Map([
        [{ ...other }, 1],
        [{ ...one }, 2],
      ]),
    ),
    false,
  )
})

test('the order of fields does not matter', () => {
  assert.ok(isSame({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }))
})

test('inherited fields do not count', () => {
  assert.equal(isSame({ toString: undefined }, { constructor: undefined }), false)
})
