/**
 * Pages that a store cuts by size, and how much is read to complete them. The conformance kit tests pages that a limit
 * cuts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { everything, type Range } from './range.ts'
import type { Page, ReadAllOptions, StoredEvent } from './store.ts'
import { readWholePage } from './whole-page.ts'

/** Events of commits that are named by letters: `aab` is two events of one commit and one of another. */
const logOf = (letters: string): readonly StoredEvent[] =>
  [...letters].map((commitId, i) => ({
    stream: { aggregate: 'a', id: 'b' },
    type: i % 2 === 0 ? 'Odd' : 'Even',
    revision: 1,
    data: {},
    metadata: {},
    tags: [],
    sequence: i + 1,
    position: i + 1,
    recordedAt: 0,
    commitId,
    checksum: 100 + i,
  }))

/** A store that returns at most `most` events for a page and looks no further, and the reads that it got. */
function storeOf(letters: string, most: number) {
  const log = logOf(letters)
  const asked: Range[] = []
  const readAll = async (
    range: Range,
    { limit = 1000, direction, types, behind }: ReadAllOptions = {},
  ): Promise<Page> => {
    asked.push(range)
    if (behind !== undefined) assert.equal(behind.checksum, log[behind.position - 1]?.checksum)
    const within = log.filter(({ position }) => position >= range.from && position < range.to)
    if (direction === 'backward') within.reverse()
    const looked = within.slice(0, most)
    const events = looked.filter(({ type }) => types === undefined || types.includes(type)).slice(0, limit)
    const last = events.length === limit ? events.at(-1) : looked.at(-1)
    return {
      events,
      examined: last?.position ?? 0,
      checksum: last?.checksum ?? 0,
      isLast: looked.length === within.length,
    }
  }
  return { store: { readAll }, asked }
}

const told = ({ events, examined, checksum }: Page) => {
  assert.equal(checksum, 99 + examined)
  return [events.map(({ position }) => position), examined]
}

test('a page that ends within a commit because of its size goes on to the end of the commit', async () => {
  for (const most of [1, 2, 3]) {
    const { store } = storeOf('aaaabb', most)
    assert.deepEqual(told(await readWholePage(store, everything)), [[1, 2, 3, 4], 4], `${most} at once`)
    const backward = await readWholePage(store, everything, { direction: 'backward', limit: 1 })
    assert.deepEqual(told(backward), [[6, 5], 5])
  }
})

test('a page that has looked further than its last event goes on if the commit of that event does', async () => {
  const { store } = storeOf('aaaabb', 2)
  assert.deepEqual(told(await readWholePage(store, everything, { types: ['Odd'] })), [[1, 3], 4])
  const { store: other } = storeOf('abbb', 2)
  assert.deepEqual(told(await readWholePage(other, everything, { types: ['Odd'] })), [[1], 2])
})

test('one more event is read after each page, except after the last one and at the end of its range', async () => {
  const { store, asked } = storeOf('aabb', 2)
  const reads = async (range: Range, options?: ReadAllOptions) => {
    asked.length = 0
    await readWholePage(store, range, options)
    return asked.slice(1)
  }
  assert.deepEqual(await reads({ from: 3, to: 9 }), [])
  assert.deepEqual(await reads({ from: 1, to: 2 }, { limit: 1 }), [])
  assert.deepEqual(await reads({ from: 1, to: 9 }), [{ from: 3, to: 4 }])
  assert.deepEqual(await reads({ from: 1, to: 9 }, { direction: 'backward' }), [{ from: 2, to: 3 }])
})

test('the rest of a commit is not read beyond the range', async () => {
  const { store } = storeOf('aaaa', 1)
  assert.deepEqual(told(await readWholePage(store, { from: 1, to: 4 })), [[1, 2, 3], 3])
  assert.deepEqual(told(await readWholePage(store, { from: 2, to: 5 }, { direction: 'backward' })), [[4, 3, 2], 2])
})
