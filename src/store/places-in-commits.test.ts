/** Places of events within their commits, and how rarely the store is asked. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commit, everything, memory, type Store, type StreamId } from '../index.ts'
import { placesInCommits } from './places-in-commits.ts'

const [ada, bob] = ['ada', 'bob'].map((id) => ({ aggregate: 'a', id })) as [StreamId, StreamId]

/** A log with commits of these sizes, of two streams in turn. Both streams have commits with the same ids. */
async function logOf(sizes: readonly number[]) {
  const store = await memory().open({ warn: () => {}, now: () => 0 })
  const expected: { readonly index: number; readonly count: number }[] = []
  for (const [i, count] of sizes.entries()) {
    const events = Array.from({ length: count }, (_, n) => ({ type: n % 2 === 0 ? 'Even' : 'Odd', data: {} }))
    const stream = i % 2 === 0 ? ada : bob
    await store.append([commit({ stream, expected: 'any', id: `c${i >> 1}`, recordedAt: 0, events })])
    for (let index = 0; index < count; index++) expected.push({ index, count })
  }
  let asked = 0
  const findCommit: Store['findCommit'] = (...given) => {
    asked++
    return store.findCommit(...given)
  }
  return { store, expected, counted: { name: store.name, findCommit, head: () => store.head() }, asked: () => asked }
}

test('events of a page of the log have their index and count, and the store is asked for one commit', async () => {
  const { store, expected, counted, asked } = await logOf([1, 3, 2, 1, 4, 2])
  const { events } = await store.readAll(everything)
  assert.deepEqual(await placesInCommits(counted, events), expected)
  assert.equal(asked(), 1)
  assert.deepEqual(await placesInCommits(counted, events.toReversed()), expected.toReversed())
  assert.deepEqual(await placesInCommits(counted, []), [])
})

test('events of any part of the log have the same', async () => {
  const { store, expected, counted } = await logOf([2, 3, 1, 3, 2, 2])
  for (let from = 1; from <= 13; from++) {
    for (let to = from + 1; to <= 14; to++) {
      const { events } = await store.readAll({ from, to })
      assert.deepEqual(await placesInCommits(counted, events), expected.slice(from - 1, to - 1))
    }
  }
})

test('events of a stream, and those that a filter leaves, have the same', async () => {
  const { store, expected, counted } = await logOf([2, 3, 1, 3, 1, 2])
  for (const events of [
    await store.readStream(ada, everything),
    await store.readStream(bob, { from: 2, to: 6 }, { direction: 'backward' }),
    (await store.readAll(everything, { types: ['Odd'] })).events,
    (await store.readAll(everything, { types: ['Even'] })).events,
  ]) {
    const places = await placesInCommits(counted, events)
    assert.deepEqual(
      places,
      events.map(({ position }) => expected[position - 1]),
    )
  }
})

test('an event that the store does not have is of another log', async () => {
  const { store } = await logOf([1, 3])
  const other = await logOf([1])
  const { events } = await store.readAll(everything)
  await assert.rejects(placesInCommits(other.store, events), {
    code: 'LOG_REPLACED',
    facts: { store: 'memory', position: 2, head: 1 },
  })
})
