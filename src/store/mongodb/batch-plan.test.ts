/** Where the commits of a batch go, from what is known: worked out without a server. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commit, type OfferedCommit } from '../commit.ts'
import { type Entry, keyOf, type Plan, type Progress, planBatch } from './batch-plan.ts'

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
  return { commit: made, caller, key: keyOf(stream) }
}
const progressOf = (entries: readonly Entry[]): Progress => ({
  ...{ entries, results: [], looked: new Set(), found: new Map(), storedCount: 0 },
})
const known = (head: number, sequences: Readonly<Record<string, number>> = {}) => ({
  head,
  sequenceOf: (key: string) => sequences[key.slice('account\0'.length)],
})
const placesOf = ({ placements }: Plan) => placements.map(({ index, position, from }) => [index, position, from])

test('commits go behind one another, each behind the last of its stream', () => {
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
  assert.deepEqual(plan.results[0], { status: 'stored', sequence: 6, position: 12, count: 2 })
})

test('a strange stream is taken to be new by who may meet a new one, and asked for by others', () => {
  const entries = [entry('a', 'any'), entry('b', 0), entry('c', 'exists'), entry('d', 7)]
  const plan = planBatch(progressOf(entries), known(0))
  assert.deepEqual(plan.unclear, entries.slice(2))
})

test('nobody is refused on hearsay: a stream that does not fit is asked for first', () => {
  const refused = entry('a', 3)
  const progress = progressOf([refused])
  assert.deepEqual(planBatch(progress, known(9, { a: 4 })).unclear, [refused])
  progress.looked.add(refused)
  const plan = planBatch(progress, known(9, { a: 4 }))
  assert.deepEqual(plan.results, [{ status: 'conflict', sequence: 4 }])
  assert.deepEqual(plan.placements, [])
})

test('what is stored already is answered so, and breaks the chain of its caller only', () => {
  const entries = [entry('a', 0), entry('a', 4), entry('a', 4, {}, 1)]
  const progress = progressOf(entries)
  for (const each of entries) progress.looked.add(each)
  progress.found.set(entries[0]!, { sequence: 1, position: 2, count: 1 })
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
  assert.deepEqual(plan.results[1], { status: 'duplicate', sequence: 1, position: 1, count: 1 })
})

test('the rest of a batch is planned on what became of its beginning', () => {
  const entries = [entry('a', 'none'), entry('b', 'none'), entry('a', 1, {}), entry('b', 1)]
  const progress = progressOf(entries)
  progress.results.push({ status: 'stored', sequence: 1, position: 5, count: 1 }, { status: 'conflict', sequence: 1 })
  progress.looked.add(entries[3]!)
  const plan = planBatch(progress, known(5, { a: 1, b: 1 }))
  assert.deepEqual(placesOf(plan), [[2, 6, 2]])
  assert.deepEqual(plan.results[1], { status: 'conflict', sequence: 1 })
})
