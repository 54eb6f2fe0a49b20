/** Half-open ranges, with infinite upper bounds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  advance,
  contains,
  difference,
  equals,
  everything,
  intersection,
  isBelow,
  isEmpty,
  overlaps,
  type Range,
  range,
} from './range.ts'

const infinity = Number.POSITIVE_INFINITY

test('swapped bounds make an empty range, not an error', () => {
  assert.deepEqual(range(5, 3), { from: 5, to: 5 })
  assert.ok(isEmpty(range(5, 3)))
})

test('the upper bound is infinite if it is left out', () => {
  assert.deepEqual(range(5), { from: 5, to: infinity })
})

test('the lower bound is part of a range, the upper is not', () => {
  assert.ok(contains(range(1, 3), 1))
  assert.ok(contains(range(1, 3), 2))
  assert.ok(!contains(range(1, 3), 3))
  assert.ok(!contains(range(1, 3), 0))
  assert.ok(!contains(range(3, 3), 3))
  assert.ok(contains(range(1), Number.MAX_SAFE_INTEGER))
})

for (const from of [-1, infinity, -infinity, 0.5, Number.NaN, '1' as unknown as number]) {
  test(`${String(from)} is not a lower bound`, () => {
    assert.throws(() => range(from, 5), { name: 'InputError', code: 'RANGE_INVALID' })
  })
}

for (const to of [0.5, Number.NaN, -infinity, '1' as unknown as number]) {
  test(`${String(to)} is not an upper bound`, () => {
    assert.throws(() => range(0, to), { code: 'RANGE_INVALID' })
  })
}

test('a range cannot be changed', () => {
  assert.throws(() => Object.assign(range(1, 2), { to: 5 }), TypeError)
  assert.throws(() => Object.assign(everything, { to: 5 }), TypeError)
})

test('everything contains all values', () => {
  assert.deepEqual(everything, range(0))
  assert.ok(contains(everything, 0))
})

test('empty ranges are equal whatever their bounds', () => {
  assert.ok(equals(range(3, 3), range(7, 7)))
  assert.ok(equals(range(9, 2), range(0, 0)))
  assert.ok(equals({ from: 5, to: 1 }, range(0, 0)))
})

test('other ranges are equal if their bounds are', () => {
  assert.ok(equals(range(1, 5), range(1, 5)))
  assert.ok(equals(range(1), range(1)))
  assert.ok(!equals(range(1, 5), range(1, 6)))
  assert.ok(!equals(range(1, 5), range(0, 5)))
  assert.ok(!equals(range(1, 5), range(1)))
  assert.ok(!equals(range(1, 5), range(3, 3)))
})

test('ranges overlap if they share a value; adjacent ones do not', () => {
  assert.ok(overlaps(range(1, 5), range(4, 8)))
  assert.ok(overlaps(range(1), range(1_000_000)))
  assert.ok(overlaps(range(1, 9), range(3, 4)))
  assert.ok(!overlaps(range(1, 5), range(5, 8)))
  assert.ok(!overlaps(range(5), range(1, 5)))
  assert.ok(!overlaps(range(1, 5), range(3, 3)))
})

test('the intersection is what two ranges share', () => {
  assert.deepEqual(intersection(range(1, 5), range(3, 8)), range(3, 5))
  assert.deepEqual(intersection(range(1), range(3)), range(3))
  assert.deepEqual(intersection(range(0), range(3, 8)), range(3, 8))
  assert.ok(isEmpty(intersection(range(1, 3), range(3, 5))))
  assert.ok(isEmpty(intersection(range(1, 2), range(7, 9))))
})

test('the difference has no part, one or two', () => {
  assert.deepEqual(difference(range(1, 9), range(3, 5)), [range(1, 3), range(5, 9)])
  assert.deepEqual(difference(range(1, 9), range(1, 5)), [range(5, 9)])
  assert.deepEqual(difference(range(1, 9), range(5, 20)), [range(1, 5)])
  assert.deepEqual(difference(range(3, 5), range(1, 9)), [])
  assert.deepEqual(difference(range(3, 5), range(3, 5)), [])
  assert.deepEqual(difference(range(1, 5), range(7, 9)), [range(1, 5)])
  assert.deepEqual(difference(range(1, 5), range(2, 2)), [range(1, 5)])
  assert.deepEqual(difference(range(4, 4), range(1, 9)), [])
})

test('the difference of infinite ranges', () => {
  assert.deepEqual(difference(range(1), range(3, 5)), [range(1, 3), range(5)])
  assert.deepEqual(difference(range(1), range(3)), [range(1, 3)])
  assert.deepEqual(difference(range(3), range(1)), [])
  assert.deepEqual(difference(range(1, 5), range(3)), [range(1, 3)])
})

test('a range is below another if all of it lies before', () => {
  assert.ok(isBelow(range(1, 3), range(3, 5)))
  assert.ok(isBelow(range(1, 3), range(7)))
  assert.ok(!isBelow(range(1, 4), range(3, 5)))
  assert.ok(!isBelow(range(1), range(3, 5)))
})

test('advancing leaves out the first values, or all of them past the end', () => {
  assert.deepEqual(advance(range(1, 5), 2), range(3, 5))
  assert.deepEqual(advance(range(1, 5), 0), range(1, 5))
  assert.deepEqual(advance(range(1), 1000), range(1001))
  assert.ok(isEmpty(advance(range(1, 5), 4)))
  assert.ok(isEmpty(advance(range(1, 5), 400)))
  assert.ok(isEmpty(advance(range(3, 3), 1)))
})

const someRange: fc.Arbitrary<Range> = fc
  .tuple(fc.nat({ max: 12 }), fc.oneof(fc.nat({ max: 12 }), fc.constant(infinity)))
  .map(([from, to]) => range(from, to))

test('every value of a range is in the intersection or in the difference', () => {
  fc.assert(
    fc.property(someRange, someRange, fc.nat({ max: 14 }), (a, b, value) => {
      assert.equal(contains(intersection(a, b), value), contains(a, value) && contains(b, value))
      const parts = difference(a, b).filter((part) => contains(part, value)).length
      assert.equal(parts, contains(a, value) && !contains(b, value) ? 1 : 0)
      assert.equal(overlaps(a, b), overlaps(b, a))
    }),
  )
})
