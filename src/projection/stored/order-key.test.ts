/** The order of values as texts, beside a simple comparison of the values. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sized } from '../../../test/support/size.ts'
import {
  afterAll,
  compareTexts,
  isOrderKey,
  isOrderKeyOfRow,
  orderKey,
  orderKeyOfRow,
  orderKeyOfStart,
  unitsMax,
} from './order-key.ts'

const runs = { numRuns: sized(5000, 500) }
const compared = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** Texts with characters of every length in UTF-8 and UTF-16, at the borders of the ranges. */
const character = fc.constantFrom(
  ...['\u0001', '\u001f', ' ', '0', 'A', 'a', '}', '~', '\u007f', '\u0080', 'é', '日', '\ud7ff', '\ue000', '\uffff'],
  ...['\u{10000}', '😀', '\u{10ffff}'],
)
const text = fc.array(character, { maxLength: 8 }).map((all) => all.join(''))

/** Values in groups, in order. */
const groups = [
  fc.constantFrom(undefined, null),
  fc.boolean(),
  fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 5e-324, -5e-324)),
  fc.oneof(fc.bigInt(), fc.bigInt({ min: -20n, max: 20n }), fc.constantFrom(10n ** 60n, -(10n ** 60n))),
  text,
  fc.date({ noInvalidDate: false }),
  fc.constantFrom([], {}, new Map(), new Set()),
]
const value = fc
  .integer({ min: 0, max: groups.length - 1 })
  .chain((group) => groups[group]!.map((of) => ({ group, of })))

/** The documented order, as simple as possible. */
function compare(a: { group: number; of: any }, b: { group: number; of: any }): number {
  if (a.group !== b.group) return a.group - b.group
  if (a.group === 0 || a.group === groups.length - 1) return 0
  if (a.group === 4) return Math.sign(Buffer.compare(Buffer.from(a.of), Buffer.from(b.of)))
  const [left, right] = [a.of, b.of].map((each) => (each instanceof Date ? each.getTime() : each))
  const [isLeftLast, isRightLast] = [Number.isNaN(left), Number.isNaN(right)]
  if (isLeftLast || isRightLast) return Number(isLeftLast) - Number(isRightLast)
  return left < right ? -1 : left > right ? 1 : 0
}

describe('The order of values', () => {
  test('is that of their texts', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        assert.equal(compared(orderKey(a.of), orderKey(b.of)), Math.sign(compare(a, b)))
      }),
      runs,
    )
  })

  test('is of a form that other texts do not have', () => {
    fc.assert(
      fc.property(value, text, ({ of }, key) => {
        const long = key.repeat(30)
        assert.ok(isOrderKey(orderKey(of)))
        assert.ok(isOrderKeyOfRow(orderKeyOfRow(`x${key}`)) && isOrderKeyOfRow(orderKeyOfRow(`x${long}`)))
        for (const other of ['', `${orderKey(of)}0`, orderKey(of).slice(0, -1), `4${long}`])
          assert.ok(!isOrderKey(other))
        assert.ok(!isOrderKeyOfRow(long))
      }),
      runs,
    )
  })

  test('is kept by texts one after the other, because none is the beginning of another', () => {
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const joined = compared(orderKey(a.of) + orderKey(b.of), orderKey(c.of) + orderKey(d.of))
        assert.equal(joined, Math.sign(compare(a, c)) || Math.sign(compare(b, d)))
      }),
      runs,
    )
  })

  test('is ASCII without a null character, and says what begins with a text', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        assert.ok([...orderKey(a)].every((unit) => unit > '\0' && unit < afterAll))
        const start = orderKeyOfStart(a)
        const isWithin = orderKey(b) >= start && orderKey(b) < start + afterAll
        assert.equal(isWithin, b.startsWith(a))
      }),
      runs,
    )
  })

  test('counts a hundred units of a text', () => {
    const long = 'x'.repeat(unitsMax)
    assert.equal(orderKey(`${long}a`), orderKey(`${long}b`))
    assert.ok(orderKey(`${long.slice(1)}a`) < orderKey(`${long.slice(1)}b`))
    assert.ok(orderKey('日'.repeat(1000)).length < 500)
    assert.ok(orderKey(10n ** 5000n).length < 150)
  })

  test('tells all keys of rows apart, also long ones', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        for (const start of ['', 'k'.repeat(unitsMax - 2), 'k'.repeat(300)]) {
          assert.equal(orderKeyOfRow(start + a) === orderKeyOfRow(start + b), a === b)
        }
        assert.equal(compared(orderKeyOfRow(a), orderKeyOfRow(b)), Math.sign(compareTexts(a, b)))
      }),
      runs,
    )
  })
})

test('texts are compared by code point, also halves of surrogate pairs', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareTexts(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
    runs,
  )
  assert.ok(compareTexts('\uffff', '\ud800') < 0 && compareTexts('\udfff', '\ue000') > 0)
})
