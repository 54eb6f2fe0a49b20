import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { commit } from '../../commit.ts'
import { hashOfId, MemoryStream } from './memory-stream.ts'
import { StoredCommits } from './stored-commits.ts'

/** Ids as the library makes them, from few, so that they come in any order; and ids as callers give them. */
const own = fc.integer({ min: 0, max: 40 }).map((n) => `~${String(n).padStart(22, '0')}`)
const given = fc.integer({ min: 0, max: 40 }).map((n) => `order-${n}`)

test('A commit is found by its id, and no other, in whatever order ids come', () => {
  const ids = fc.uniqueArray(fc.oneof({ weight: 3, arbitrary: own }, given), { maxLength: 60 })
  fc.assert(
    fc.property(ids, (added) => {
      const stored = new StoredCommits()
      const id = { aggregate: 'a', id: 'b' }
      const stream = new MemoryStream(id, 1, stored)
      for (const [i, commitId] of added.entries()) {
        assert.equal(stream.find(commitId), undefined)
        const made = commit({
          stream: id,
          expected: i,
          id: commitId,
          recordedAt: 0,
          events: [{ type: 'T', data: i }],
        })
        stream.add(stored.add(id, made, i + 1, i), commitId, hashOfId(commitId), 1)
      }
      for (const [i, commitId] of added.entries()) assert.equal(stream.find(commitId)?.sequence, i + 1)
    }),
  )
})
