/** How far a page has looked, which events match a filter, and the defaults of a read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { examinedBy, matches, readOptions } from './page.ts'
import type { StoredEvent } from './store.ts'

const at = (position: number, more: Partial<StoredEvent> = {}): StoredEvent => ({
  stream: { aggregate: 'a', id: 'b' },
  type: 'T',
  revision: 1,
  data: {},
  metadata: {},
  tags: [],
  sequence: position,
  position,
  recordedAt: 0,
  commitId: 'c',
  checksum: position,
  ...more,
})
const infinity = Number.POSITIVE_INFINITY
const forward = { limit: 2, backward: false }
const backward = { limit: 2, backward: true }
const all = { from: 0, to: infinity }

const cases: Readonly<Record<string, readonly [number, ...Parameters<typeof examinedBy>]>> = {
  'an empty store': [0, [], all, forward, 0],
  'an empty store, backward': [0, [], all, backward, 0],
  'a page that its limit ended stands at its last event': [2, [at(1), at(2)], all, forward, 9],
  'a backward page that its limit ended stands at its last event': [8, [at(9), at(8)], all, backward, 9],
  'a page that has not met its limit has seen all there was': [9, [at(3)], all, forward, 9],
  'a page without a hit has seen all there was': [9, [], all, forward, 9],
  'a page of a bounded range has seen the range': [4, [at(3)], { from: 2, to: 5 }, forward, 9],
  'a page of a range past the end has seen up to the end': [9, [], { from: 2, to: 50 }, forward, 9],
  'a page behind the end has seen what lies before it, not what may come': [
    9,
    [],
    { from: 10, to: infinity },
    forward,
    9,
  ],
  'a page far behind the end stands just before its range': [19, [], { from: 20, to: infinity }, forward, 9],
  'a page of an empty range stands just before it': [4, [], { from: 5, to: 5 }, forward, 9],
  'a backward page that has not met its limit has seen down to the lower bound': [
    3,
    [at(5)],
    { from: 3, to: 7 },
    backward,
    9,
  ],
  'a limit of 0 has examined nothing': [2, [], { from: 3, to: 7 }, { limit: 0, backward: false }, 9],
  'a limit of 0 from the beginning has examined nothing': [0, [], all, { limit: 0, backward: false }, 9],
  'a limit of 0 backward stands above the end': [10, [], all, { limit: 0, backward: true }, 9],
  'a limit of 0 backward stands at the upper bound': [7, [], { from: 3, to: 7 }, { limit: 0, backward: true }, 9],
}

for (const [sentence, [expected, ...args]] of Object.entries(cases)) {
  test(sentence, () => {
    assert.equal(examinedBy(...args), expected)
  })
}

test('an event meets filters of one of the types, one of the aggregates, all of the tags', () => {
  const event = at(1, { type: 'T', tags: ['x', 'y'] })
  assert.ok(matches({}, event))
  assert.ok(matches({ types: ['S', 'T'], aggregates: ['a', 'z'], tags: ['y', 'x'] }, event))
  assert.ok(!matches({ types: ['S'] }, event))
  assert.ok(!matches({ aggregates: ['z'] }, event))
  assert.ok(!matches({ tags: ['x', 'z'] }, event))
})

test('no event matches an empty list of types or aggregates, and every event matches an empty list of tags', () => {
  assert.ok(!matches({ types: [] }, at(1)))
  assert.ok(!matches({ aggregates: [] }, at(1)))
  assert.ok(matches({ tags: [] }, at(1)))
})

test('a read is forward, of 1,000 events, unless it says otherwise', () => {
  assert.deepEqual({ ...readOptions({}) }, { limit: 1000, backward: false })
  assert.deepEqual({ ...readOptions({ limit: 0, direction: 'backward' }) }, { limit: 0, backward: true })
  assert.equal(readOptions({ limit: infinity }).limit, infinity)
})

test('an aborted signal throws its reason', () => {
  const reason = new Error('enough')
  assert.throws(() => readOptions({ signal: AbortSignal.abort(reason) }), reason)
})
