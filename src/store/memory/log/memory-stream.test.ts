import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { commit } from '../../commit.ts'
import { hashOfId, MemoryStream } from './memory-log.ts'

/** Ids as the library makes them, from few, so that they come in any order; and ids as callers give them. */
const own = fc.integer({ min: 0, max: 40 }).map((n) => `~${String(n).padStart(22, '0')}`)
const given = fc.integer({ min: 0, max: 40 }).map((n) => `order-${n}`)

test('A commit is found by its id, and no other, in whatever order ids come', () => {
  const ids = fc.uniqueArray(fc.oneof({ weight: 3, arbitrary: own }, given), { maxLength: 60 })
  fc.assert(
    fc.property(ids, (added) => {
      const stream = new MemoryStream(1)
      for (const [i, id] of added.entries()) {
        assert.equal(stream.find(id), undefined)
        const made = commit({
          stream: { aggregate: 'a', id: 'b' },
          expected: i,
          id,
          recordedAt: 0,
          events: [{ type: 'T', data: i }],
        })
        stream.add({ commit: made, position: i + 1, sequence: i + 1, checksum: i }, hashOfId(id))
      }
      for (const [i, id] of added.entries()) assert.equal(stream.find(id)?.sequence, i + 1)
    }),
  )
})
