/** The model itself: it agrees with a store that keeps the contract, and detects one that does not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memory } from '../../store/memory/memory.ts'
import type { Store, StoreFactory } from '../../store/store.ts'
import { drawStep, type Step } from './steps.ts'
import { play } from './store-model.ts'

/** A memory store with one wrong answer. */
const altered = (alter: (store: Store) => Partial<Store>): StoreFactory => {
  const inner = memory()
  return {
    name: 'altered',
    open: async (options) => {
      const store = await inner.open(options)
      return Object.assign(store, alter(store))
    },
  }
}

const stream = { aggregate: 'a', id: '/b' }
const drawn = { stream, expected: 'any', recordedAt: 0, types: ['A'], tags: [] } as const
const steps: readonly Step[] = [
  {
    kind: 'append',
    commits: [
      { ...drawn, id: 'c1' },
      { ...drawn, id: 'c1' },
    ],
  },
  { kind: 'reopen' },
  { kind: 'append', commits: [{ ...drawn, id: 'c2', expected: { ahead: 0 } }] },
  { kind: 'readStream', stream, range: { from: 0, to: 9 }, options: { direction: 'backward' } },
  { kind: 'readAll', range: { from: 1, to: 9 }, options: { tags: ['red'] } },
  { kind: 'findCommit', stream, id: 'c1' },
  { kind: 'head' },
]

test('a store that keeps the contract gives the same answers', async () => {
  await play({ factory: memory() }, steps)
})

test('a store with a wrong answer is detected, and its place is cleaned up', async () => {
  let cleaned = 0
  const cleanUp = async () => {
    cleaned++
  }
  const factory = altered(() => ({ head: async () => 7 }))
  await assert.rejects(play({ factory, cleanUp }, steps), assert.AssertionError)
  assert.equal(cleaned, 1)
})

test('a store that loses data at reopening is detected', async () => {
  const factory: StoreFactory = { name: 'forgetful', open: (options) => memory().open(options) }
  await assert.rejects(play({ factory }, steps), assert.AssertionError)
})

test('the random steps collide: they include duplicates, conflicts and stored commits', async () => {
  const seen = new Set<string>()
  const property = fc.asyncProperty(fc.array(drawStep(true), { maxLength: 40, size: 'max' }), async (drawnSteps) => {
    const inner = memory()
    const factory: StoreFactory = {
      name: 'watched',
      open: async (options) => {
        const store = await inner.open(options)
        const append = store.append.bind(store)
        return Object.assign(store, {
          append: async (commits: Parameters<Store['append']>[0]) => {
            const results = await append(commits)
            for (const { status } of results) seen.add(status)
            return results
          },
        })
      },
    }
    await play({ factory }, drawnSteps)
  })
  await fc.assert(property, { numRuns: 20, seed: 1 })
  assert.deepEqual([...seen].sort(), ['conflict', 'duplicate', 'stored'])
})
