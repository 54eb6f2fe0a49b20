/** A commit is checked once, and nothing unchecked is accepted as one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Commit, commit, type Expected, type OfferedCommit } from './commit.ts'

const stream = { aggregate: 'account', id: 'ada' }
const offered: OfferedCommit = {
  stream,
  expected: 'any',
  id: 'c1',
  recordedAt: 1000,
  events: [{ type: 'Opened', data: { owner: 'Ada' } }],
}
const event = (more: object): OfferedCommit => ({ ...offered, events: [{ type: 'Opened', data: {}, ...more }] })

test('a commit carries what was offered, with defaults', () => {
  const made = commit(offered)
  assert.deepEqual({ ...made.stream }, stream)
  assert.equal(made.expected, 'any')
  assert.equal(made.id, 'c1')
  assert.equal(made.recordedAt, 1000)
  assert.deepEqual(
    made.events.map((each) => ({ ...each })),
    [{ type: 'Opened', revision: 1, data: { owner: 'Ada' }, metadata: {}, tags: [] }],
  )
})

test('revision, metadata and tags are kept, each tag once', () => {
  const [made] = commit(event({ revision: 3, metadata: { user: 'u', at: new Date(0) }, tags: ['b', 'a', 'b'] })).events
  assert.equal(made?.revision, 3)
  assert.deepEqual(made?.metadata, { user: 'u', at: '1970-01-01T00:00:00.000Z' })
  assert.deepEqual(made?.tags, ['b', 'a'])
})

const refused: Readonly<Record<string, readonly [OfferedCommit, string]>> = {
  'an empty aggregate': [{ ...offered, stream: { aggregate: '', id: 'ada' } }, 'ID_INVALID'],
  'an empty stream id': [{ ...offered, stream: { aggregate: 'account', id: '' } }, 'ID_INVALID'],
  'a stream id of 1,025 bytes': [{ ...offered, stream: { aggregate: 'a', id: 'x'.repeat(1025) } }, 'ID_INVALID'],
  'a stream id with a null character': [{ ...offered, stream: { aggregate: 'a', id: 'a\0' } }, 'ID_INVALID'],
  'an empty commit id': [{ ...offered, id: '' }, 'ID_INVALID'],
  'a commit id that is no text': [{ ...offered, id: 5 as unknown as string }, 'ID_INVALID'],
  'an empty event type': [event({ type: '' }), 'ID_INVALID'],
  'an empty tag': [event({ tags: ['a', ''] }), 'ID_INVALID'],
  'a tag with a lone surrogate': [event({ tags: ['\ud800'] }), 'ID_INVALID'],
  'no events': [{ ...offered, events: [] }, 'COMMIT_EMPTY'],
  'data that is not JSON': [event({ data: { amount: Number.NaN } }), 'DATA_NOT_JSON'],
  'data that is undefined': [event({ data: undefined }), 'DATA_NOT_JSON'],
  'metadata that is not JSON': [event({ metadata: { f: () => 1 } }), 'DATA_NOT_JSON'],
  'metadata that is a list': [event({ metadata: [1] }), 'DATA_NOT_JSON'],
  'metadata that is a date': [event({ metadata: new Date(0) }), 'DATA_NOT_JSON'],
  'a negative expectation': [{ ...offered, expected: -1 }, 'RANGE_INVALID'],
  'an expectation that is a fraction': [{ ...offered, expected: 0.5 }, 'RANGE_INVALID'],
  'an infinite expectation': [{ ...offered, expected: Number.POSITIVE_INFINITY }, 'RANGE_INVALID'],
  'an expectation of another word': [{ ...offered, expected: 'some' as Expected }, 'RANGE_INVALID'],
  'an expectation that is left out': [{ ...offered, expected: undefined as unknown as Expected }, 'RANGE_INVALID'],
}

for (const [what, [bad, code]] of Object.entries(refused)) {
  test(`${what} is refused`, () => {
    assert.throws(() => commit(bad), { name: 'InputError', code })
  })
}

test('one bad event refuses the whole commit, and the error names it', () => {
  const events = [...offered.events, { type: 'Bad', data: { at: new Map() } }]
  assert.throws(() => commit({ ...offered, events }), { code: 'DATA_NOT_JSON', message: /Bad.*Map at at/ })
})

for (const expected of ['any', 'none', 'exists', 0, 5] as const) {
  test(`${expected} can be expected`, () => {
    assert.equal(commit({ ...offered, expected }).expected, expected)
  })
}

test('a commit does not change with the objects that it was made from', () => {
  const data = { list: [1] }
  const tags = ['a']
  const own = { aggregate: 'account', id: 'ada' }
  const made = commit({ ...offered, stream: own, events: [{ type: 'T', data, tags }] })
  data.list.push(2)
  tags.push('b')
  own.id = 'eve'
  assert.deepEqual(made.events[0]?.data, { list: [1] })
  assert.deepEqual(made.events[0]?.tags, ['a'])
  assert.equal(made.stream.id, 'ada')
})

test('the parts of a commit cannot be changed', () => {
  const made = commit(event({ data: { a: 1 }, metadata: { m: 1 }, tags: ['t'] }))
  const first = made.events[0]!
  assert.throws(() => (made.events as unknown[]).push({}), TypeError)
  assert.throws(() => Object.assign(first.data as object, { a: 2 }), TypeError)
  assert.throws(() => Object.assign(first.metadata as object, { m: 2 }), TypeError)
  assert.throws(() => (first.tags as string[]).push('u'), TypeError)
  assert.throws(() => Object.assign(made.stream, { id: 'eve' }), TypeError)
})

test('the size grows with the stored data', () => {
  const small = commit(event({ data: 'x' })).size
  assert.equal(commit(event({ data: 'x'.repeat(101) })).size, small + 100)
  assert.ok(commit(event({ data: 'x', metadata: { m: 'x'.repeat(50) } })).size > small + 50)
  assert.ok(commit(event({ data: 'x', tags: ['x'.repeat(50)] })).size >= small + 50)
})

test('only a checked commit is a commit', () => {
  const made = commit(offered)
  assert.ok(made instanceof Commit)
  const copy = { ...made, events: [] }
  // @ts-expect-error what is copied may have been changed
  const taken: Commit = copy
  assert.ok(!(taken instanceof Commit))
})
