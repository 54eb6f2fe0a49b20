/** The places of a batch's commits, worked out from known facts without a server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commit, type OfferedCommit } from '../../commit.ts'
import type { AppendResult } from '../../store.ts'
import { type Entry, type Plan, type Progress, planBatch } from './batch-plan.ts'
import { WrittenCommit } from './commit-document.ts'
import { keyOf } from './streams.ts'

let ids = 0
const entry = (
  id: string,
  expected: OfferedCommit['expected'],
  more: Partial<OfferedCommit> = {},
  caller = 0,
): Entry => {
  const stream = { aggregate: 'account', id }
  const events = [{ type: 'Deposited', data: 1 }]
  const made = commit({ stream, expected, id: `c${++ids}`, recordedAt: 0, events, ...more })
  return { commit: made, written: new WrittenCommit(made), caller, key: keyOf(stream) }
}
const progressOf = (entries: readonly Entry[]): Progress => ({
  entries,
  results: [],
  looked: new Set(),
  found: new Map(),
  reserved: new Set(),
  storedCount: 0,
  head: 0,
})
const known = (head: number, sequences: Readonly<Record<string, number>> = {}) => ({
  end: { head, commit: undefined },
  sequenceOf: (key: string) => sequences[key.slice('account\0'.length)],
})
const placesOf = ({ placements }: Plan) => placements.map(({ index, header }) => [index, header._id, header.from])
const bare = (result: AppendResult | undefined) => ({ ...result, checksum: 0 })

test('commits are placed one after the other, each after the last one of its stream', () => {
  const two = [1, 2].map((data) => ({ type: 'Deposited', data }))
  const entries = [entry('a', 4, { events: two }), entry('b', 'none'), entry('a', 6), entry('a', 'any')]
  const plan = planBatch(progressOf(entries), known(10, { a: 4 }))
  assert.deepEqual(placesOf(plan), [
    [0, 11, 5],
    [1, 13, 1],
    [2, 14, 7],
    [3, 15, 8],
  ])
  assert.deepEqual(plan.unclear, [])
  assert.deepEqual(bare(plan.results[0]), { status: 'stored', sequence: 6, position: 12, count: 2, checksum: 0 })
})

test('an unknown stream counts as new for a commit that allows that, and is asked for by others', () => {
  const entries = [entry('a', 'any'), entry('b', 0), entry('c', 'exists'), entry('d', 7)]
  const plan = planBatch(progressOf(entries), known(0))
  assert.deepEqual(plan.unclear, entries.slice(2))
})

test('no commit is refused on old facts: a stream that does not fit is asked for first', () => {
  const refused = entry('a', 3)
  const progress = progressOf([refused])
  assert.deepEqual(planBatch(progress, known(9, { a: 4 })).unclear, [refused])
  progress.looked.add(refused)
  const plan = planBatch(progress, known(9, { a: 4 }))
  assert.deepEqual(plan.results, [{ status: 'conflict', sequence: 4 }])
  assert.deepEqual(plan.placements, [])
})

test('a commit that is already stored is answered as a duplicate, and breaks only the chain of its caller', () => {
  const entries = [entry('a', 0), entry('a', 4), entry('a', 4, {}, 1)]
  const progress = progressOf(entries)
  for (const each of entries) progress.looked.add(each)
  progress.found.set(entries[0]!, { sequence: 1, position: 2, count: 1, checksum: 5 })
  const plan = planBatch(progress, known(9, { a: 4 }))
  assert.deepEqual(
    plan.results.map(({ status }) => status),
    ['duplicate', 'conflict', 'stored'],
  )
})

test('the same id twice in a batch is stored once', () => {
  const entries = [
    entry('a', 'any', { id: 'same' }),
    entry('a', 'any', { id: 'same' }),
    entry('b', 'any', { id: 'same' }),
  ]
  const plan = planBatch(progressOf(entries), known(0))
  assert.deepEqual(placesOf(plan), [
    [0, 1, 1],
    [2, 2, 1],
  ])
  assert.deepEqual(plan.results[1], { ...plan.results[0], status: 'duplicate' })
})

test('the rest of a batch is planned on the results of its beginning', () => {
  const entries = [entry('a', 'none'), entry('b', 'none'), entry('a', 1, {}), entry('b', 1)]
  const progress = progressOf(entries)
  progress.results.push(
    { status: 'stored', sequence: 1, position: 5, count: 1, checksum: 5 },
    { status: 'conflict', sequence: 1 },
  )
  progress.looked.add(entries[3]!)
  const plan = planBatch(progress, known(5, { a: 1, b: 1 }))
  assert.deepEqual(placesOf(plan), [[2, 6, 2]])
  assert.deepEqual(plan.results[1], { status: 'conflict', sequence: 1 })
})

test('commits are counted, and each names the checksum of the one before it', () => {
  const entries = [entry('a', 'none'), entry('b', 'none'), entry('a', 1)]
  const [first, second, third] = planBatch(progressOf(entries), known(0)).placements.map(({ header }) => header)
  assert.deepEqual([first?.number, first?.previous], [1, 0])
  assert.deepEqual([second?.number, second?.previous], [2, first?.checksum])
  assert.deepEqual([third?.number, third?.previous], [3, second?.checksum])
  const later = planBatch(progressOf([entry('c', 'none')]), { ...known(3), end: { head: 3, commit: third } })
  assert.deepEqual([later.placements[0]?.header.number, later.placements[0]?.header.previous], [4, third?.checksum])
})

test('a commit to a stream that is reserved for another writer conflicts after a look, and breaks the chain', () => {
  const entries = [entry('a', 'any'), entry('b', 'any'), entry('a', 5)]
  const progress = progressOf(entries)
  progress.reserved = new Set([entries[0]!])
  assert.deepEqual(planBatch(progress, known(9, { a: 4 })).unclear, [entries[0]!, entries[2]!])
  for (const each of entries) progress.looked.add(each)
  const { results } = planBatch(progress, known(9, { a: 4 }))
  assert.deepEqual(results[0], { status: 'conflict', sequence: 4, reserved: true })
  assert.deepEqual([results[1]?.status, results[2]], ['stored', { status: 'conflict', sequence: 4 }])
  progress.found.set(entries[0]!, { sequence: 4, position: 9, count: 1, checksum: 7 })
  assert.equal(planBatch(progress, known(9, { a: 4 })).results[0]?.status, 'duplicate')
})
