import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WholeSpans } from './whole-spans.ts'

const range = fc.tuple(fc.nat(40), fc.nat(12)).map(([from, count]) => ({ from, to: from + count }))

test('exactly the parts that were never added are unknown, in pieces of a bounded length', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), range, fc.integer({ min: 1, max: 5 }), (added, asked, count) => {
      const spans = new WholeSpans()
      const known = new Set<number>()
      for (const span of added) {
        spans.add(span)
        for (let at = span.from; at < span.to; at++) known.add(at)
      }
      const found: number[] = []
      for (let part = spans.unknown(asked, count); part !== undefined; part = spans.unknown(asked, count)) {
        assert.ok(part.to > part.from && part.to - part.from <= count)
        for (let at = part.from; at < part.to; at++) found.push(at)
        spans.add(part)
      }
      const expected = Array.from({ length: asked.to - asked.from }, (_, i) => asked.from + i)
      assert.deepEqual(
        found,
        expected.filter((at) => !known.has(at)),
      )
    }),
  )
})
