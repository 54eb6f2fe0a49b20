/** Keys stay in order, whatever is added and deleted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OrderedKeys } from './ordered-keys.ts'

const keys = fc.oneof(
  fc.integer({ min: 0, max: 3000 }).map((n) => `k${n}`),
  fc.string({ unit: 'binary', maxLength: 3 }),
)
const changes = fc.array(fc.record({ key: keys, isGone: fc.boolean() }), { maxLength: 4000, size: 'max' })

test('keys in blocks equal a sorted set', () => {
  fc.assert(
    fc.property(
      fc.array(keys, { maxLength: 2000, size: 'max' }),
      changes,
      keys,
      fc.nat(700),
      (initial, drawn, from, count) => {
        const plain = new Set(initial)
        const ordered = OrderedKeys.of(plain)
        for (const { key, isGone } of drawn) {
          if (isGone) plain.delete(key)
          else plain.add(key)
          ordered[isGone ? 'delete' : 'add'](key)
        }
        const sorted = [...plain].sort()
        assert.deepEqual(ordered.from('', Number.POSITIVE_INFINITY), sorted)
        const rest = sorted.filter((key) => key >= from)
        assert.deepEqual(ordered.from(from, count), rest.slice(0, count))
        assert.deepEqual([...ordered.walk(from)], rest)
      },
    ),
    { numRuns: 40 },
  )
})
