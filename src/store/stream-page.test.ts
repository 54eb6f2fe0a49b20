/** A page of a stream that grows between its two questions. The conformance kit tests pages on every store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commit, memory, type Store } from './../index.ts'
import { readStreamPage } from './stream-page.ts'

const stream = { aggregate: 'a', id: 'b' }
let made = 0
const append = (store: Store, count: number) => {
  const events = Array.from({ length: count }, () => ({ type: 'Happened', data: {} }))
  return store.append([commit({ stream, expected: 'any', id: `c${++made}`, recordedAt: 0, events })])
}

/** Reads a page of a stream with two events. Three more are stored after its events were read for the first time. */
async function racing(from: number, to: number, direction: 'forward' | 'backward', limit = 1000) {
  const store = await memory().open({ warn: () => {}, now: () => 0 })
  await append(store, 2)
  let reads = 0
  const readStream: Store['readStream'] = async (...given) => {
    const events = await store.readStream(...given)
    if (++reads === 1) await append(store, 3)
    return events
  }
  const streamEnds: Store['streamEnds'] = (streams) => store.streamEnds(streams)
  const page = await readStreamPage({ readStream, streamEnds }, stream, { from, to }, { direction, limit })
  const { events, end, isLast } = page
  return [events.map(({ sequence }) => sequence), end.sequence, isLast]
}

const infinity = Number.POSITIVE_INFINITY

test('a page that is not full ends where the stream ended when it was read', async () => {
  assert.deepEqual(await racing(1, infinity, 'forward'), [[1, 2], 2, true])
  assert.deepEqual(await racing(1, infinity, 'backward'), [[2, 1], 2, true])
  assert.deepEqual(await racing(1, infinity, 'backward', 1), [[2], 2, false])
  assert.deepEqual(await racing(2, 9, 'forward'), [[2], 2, true])
})

test('a page that is full is still right when the stream has grown', async () => {
  assert.deepEqual(await racing(1, infinity, 'forward', 2), [[1, 2], 5, false])
  assert.deepEqual(await racing(1, 3, 'forward'), [[1, 2], 5, true])
  assert.deepEqual(await racing(1, 3, 'backward'), [[2, 1], 5, true])
})

test('a page without events is read again if the stream has grown into the range', async () => {
  assert.deepEqual(await racing(3, infinity, 'forward'), [[3, 4, 5], 5, true])
  assert.deepEqual(await racing(4, 9, 'backward'), [[5, 4], 5, true])
  assert.deepEqual(await racing(6, infinity, 'forward'), [[], 5, true])
})
