/** What a batch sends: one expectation for each subject, before everything else that is written to it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Commit, commit, type OfferedCommit } from '../../commit.ts'
import {
  absolute,
  batchMessagesMax,
  type Entry,
  type Known,
  type Progress,
  planBatch,
  receiptOf,
} from './batch-plan.ts'
import { type End, keyOf, noEnd } from './streams.ts'

const streamOf = (id: string) => ({ aggregate: 'account', id })
const eventsOf = (count: number) => Array.from({ length: count }, (_, n) => ({ type: 'Deposited', data: { n } }))

let ids = 0
const commitTo = (id: string, offered: Partial<OfferedCommit> = {}): Commit =>
  commit({ stream: streamOf(id), expected: 'any', id: `c${++ids}`, recordedAt: 0, events: eventsOf(1), ...offered })

const entriesOf = (commits: readonly Commit[]): readonly Entry[] =>
  commits.map((one) => ({
    commit: one,
    caller: 0,
    writer: undefined,
    key: keyOf(one.stream),
    subject: `mneme.e.account.${one.stream.id}`,
  }))

const progressOf = (commits: readonly Commit[], looked: readonly string[] = []): Progress => ({
  entries: entriesOf(commits),
  results: [],
  looked: new Set(looked.map((id) => keyOf(streamOf(id)))),
  reserved: new Set(),
  storedCount: 0,
  isInDoubt: false,
})

/** Streams that are known with all their ids. */
const knownOf = (ends: Readonly<Record<string, End>>): Known => {
  const byKey = new Map(Object.entries(ends).map(([id, end]) => [keyOf(streamOf(id)), end]))
  return { endOf: (key) => byKey.get(key), hasAllIds: (key) => byKey.has(key), idsOf: () => undefined }
}

const endAt = (sequence: number, position: number): End => ({ sequence, position, checksum: 1, links: [3] })

test('the first message to each subject expects its known end, and no other message expects anything', () => {
  const commits = [commitTo('a', { events: eventsOf(2) }), commitTo('b'), commitTo('a'), commitTo('b')]
  const { messages, unclear } = planBatch(progressOf(commits), knownOf({ a: endAt(2, 40), b: noEnd }))
  assert.deepEqual(unclear, [])
  assert.deepEqual(
    messages.map(({ subject, expected }) => [subject.at(-1), expected]),
    [
      ['a', 40],
      ['a', undefined],
      ['b', 0],
      ['a', undefined],
      ['b', undefined],
    ],
  )
})

test('positions are known when the batch is stored', () => {
  const commits = [commitTo('a', { events: eventsOf(2) }), commitTo('b'), commitTo('a')]
  const { results, placements } = planBatch(progressOf(commits), knownOf({ a: endAt(2, 40), b: noEnd }))
  assert.deepEqual(
    results.map((result) => ('placement' in result ? receiptOf(result.placement, 100).position : undefined)),
    [101, 102, 103],
  )
  // Sequence 5 of the stream a is linked to 4, which is in this batch as well.
  assert.deepEqual(
    placements.at(-1)!.end.links.map((link) => absolute(link, 100)),
    [101],
  )
})

test('a commit for a stream that may be new is placed without a look', () => {
  const { messages, unclear } = planBatch(progressOf([commitTo('new', { expected: 'none' })]), knownOf({}))
  assert.equal(unclear.length, 0)
  assert.equal(messages[0]!.expected, 0)
})

test('a stream is looked at before any of its commits is refused', () => {
  const commits = [commitTo('a', { expected: 7 })]
  const known = knownOf({ a: endAt(2, 40) })
  assert.equal(planBatch(progressOf(commits), known).unclear.length, 1)
  assert.deepEqual(planBatch(progressOf(commits, ['a']), known).results, [{ status: 'conflict', sequence: 2 }])
})

test('a batch has at most as many messages as the server takes, and whole commits', () => {
  const commits = [600, 300, 200, 1].map((count) => commitTo('a', { events: eventsOf(count) }))
  const { messages, results } = planBatch(progressOf(commits), knownOf({ a: noEnd }))
  assert.equal(messages.length, 900)
  assert.equal(results.length, 2)
  const largest = [commitTo('a', { events: eventsOf(batchMessagesMax) })]
  assert.equal(planBatch(progressOf(largest), knownOf({ a: noEnd })).messages.length, batchMessagesMax)
})
