/** An id is found new only if its stream does not have it, whatever is remembered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NewestIds } from './newest-ids.ts'

const drawn = fc.array(fc.record({ stream: fc.nat(30), id: fc.string({ maxLength: 2, unit: 'binary' }) }), {
  maxLength: 200,
  size: 'max',
})

test('no id of a stream is found after all ids of it, also if few streams are remembered, and after a restore', () => {
  fc.assert(
    fc.property(drawn, fc.nat(200), fc.integer({ min: 1, max: 40 }), (commits, savedAt, streamsMax) => {
      let ids = new NewestIds(streamsMax)
      const stored = new Map<number, Set<string>>()
      for (const [i, { stream, id }] of commits.entries()) {
        if (i === savedAt) {
          const { newest } = ids
          ids = new NewestIds(streamsMax)
          ids.restore(newest)
        }
        const own = stored.get(stream) ?? new Set()
        stored.set(stream, own.add(id))
        ids.add(stream, id)
        for (const [each, names] of stored) {
          for (const name of names) assert.equal(ids.isAfterAll(each, name), false)
        }
      }
    }),
  )
})

test('ids that rise are found new, also in other streams and after a restore', () => {
  let ids = new NewestIds(3)
  for (let i = 100; i < 200; i++) {
    if (i === 150) {
      const { newest } = ids
      ids = new NewestIds(3)
      ids.restore(newest)
    }
    assert.ok(ids.isAfterAll(i % 7, `~${i}`))
    ids.add(i % 7, `~${i}`)
  }
})
