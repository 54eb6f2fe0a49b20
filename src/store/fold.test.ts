/** Folding from end to end, page by page. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { commit } from './commit.ts'
import { fold, foldAll } from './fold.ts'
import { memory } from './memory/memory.ts'
import { range } from './range.ts'
import type { Store, StoredEvent } from './store.ts'

const stream = { aggregate: 'a', id: 'even' }
const other = { aggregate: 'b', id: 'odd' }
const collect = (all: readonly number[], { position }: StoredEvent): readonly number[] => [...all, position]
const sequences = (all: readonly number[], { sequence }: StoredEvent): readonly number[] => [...all, sequence]

describe('A log of 20 events of two streams in turn', () => {
  let store: Store
  before(async () => {
    store = await memory().open({ now: () => 0, warn: () => {} })
    for (let n = 1; n <= 20; n++) {
      const events = [{ type: n % 5 === 0 ? 'Fifth' : 'Other', data: { n }, tags: n % 4 === 0 ? ['fourth'] : [] }]
      const id = n % 2 === 0 ? stream : other
      await store.append([commit({ stream: id, expected: 'any', id: `c${n}`, recordedAt: 0, events })])
    }
  })

  for (const pageSize of [1, 3, 9, 10, 11, 1000]) {
    test(`is folded whole in pages of ${pageSize}`, async () => {
      const whole = Array.from({ length: 20 }, (_, i) => i + 1)
      assert.deepEqual(await foldAll(store, [], collect, { pageSize }), whole)
      assert.deepEqual(await fold(store, stream, [], sequences, { pageSize }), whole.slice(0, 10))
    })

    test(`is folded through filters in pages of ${pageSize}`, async () => {
      assert.deepEqual(await foldAll(store, [], collect, { pageSize, types: ['Fifth'] }), [5, 10, 15, 20])
      assert.deepEqual(await foldAll(store, [], collect, { pageSize, tags: ['fourth'] }), [4, 8, 12, 16, 20])
      assert.deepEqual(await foldAll(store, [], collect, { pageSize, types: ['Fifth'], aggregates: ['a'] }), [10, 20])
    })

    test(`is folded within a range in pages of ${pageSize}`, async () => {
      assert.deepEqual(await foldAll(store, [], collect, { pageSize, range: range(4, 8) }), [4, 5, 6, 7])
      assert.deepEqual(await fold(store, stream, [], sequences, { pageSize, range: range(3, 6) }), [3, 4, 5])
      assert.deepEqual(await fold(store, stream, [], sequences, { pageSize, range: range(5, 2) }), [])
    })
  }

  test('is folded into the initial state if there is nothing to read', async () => {
    assert.equal(await fold(store, { aggregate: 'a', id: 'unknown' }, 'start', () => 'changed'), 'start')
    assert.equal(await foldAll(store, 'start', () => 'changed', { types: ['Unknown'] }), 'start')
  })

  test('ends with the reason of an aborted signal', async () => {
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await assert.rejects(
      fold(store, stream, 0, (n) => n, { signal }),
      (error) => error === reason,
    )
    await assert.rejects(
      foldAll(store, 0, (n) => n, { signal }),
      (error) => error === reason,
    )
  })

  test('ends at the next page when the signal is aborted on the way', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let seen = 0
    const step = () => {
      if (++seen === 4) controller.abort(reason)
    }
    const options = { pageSize: 5, signal: controller.signal }
    await assert.rejects(foldAll(store, undefined, step, options), (error) => error === reason)
    assert.equal(seen, 5)
  })

  test('ends with what a step throws', async () => {
    const step = () => {
      throw new Error('step')
    }
    await assert.rejects(foldAll(store, 0, step), { message: 'step' })
  })
})
