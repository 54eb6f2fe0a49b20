/** The models themselves: they agree with a store that keeps the contract, and detect one that does not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memory } from '../../store/memory/memory.ts'
import type { AppendOptions, Page, Store, StoreFactory } from '../../store/store.ts'
import { playLog } from './play-log.ts'
import { playRows } from './play-rows.ts'
import { type DrawnSave, drawRowStep, type RowStep } from './row-steps.ts'
import { drawStep, type Step } from './steps.ts'

const able = { survivesReopen: true, severalWriters: true, injectedClock: true }

type Alter = (methods: Store) => Partial<Store>

/** A memory store with one wrong answer. */
const altered = (alter: Alter): StoreFactory => {
  const inner = memory()
  return {
    name: 'altered',
    open: async (options) => {
      const [store, behind] = [await inner.open(options), await inner.open(options)]
      const methods = new Proxy(behind, { get: (of, name: keyof Store) => (of[name] as () => unknown).bind(of) })
      return Object.assign(store, alter(methods))
    },
  }
}

const stream = { aggregate: 'a', id: '/b' }
const drawn = { stream, expected: 'any', recordedAt: 0, types: ['A'], tags: [], command: undefined } as const
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
  { kind: 'readAll', range: { from: 1, to: 9 }, options: { limit: 1 }, behind: { position: 1, checksum: 'right' } },
  { kind: 'readAll', range: { from: 2, to: 9 }, options: {}, behind: { position: 1, checksum: 'wrong' } },
  { kind: 'switch' },
  { kind: 'reserve', streams: [stream], writer: 'one writer' },
  { kind: 'append', commits: [{ ...drawn, id: 'c3' }], writer: 'another writer' },
  { kind: 'append', commits: [{ ...drawn, id: 'c4' }], writer: 'one writer' },
  { kind: 'reserve', streams: [stream], writer: 'one writer' },
  { kind: 'wait', durationMs: 60_000 },
  { kind: 'append', commits: [{ ...drawn, id: 'c3' }], writer: 'another writer' },
  { kind: 'findCommit', stream, id: 'c1' },
  { kind: 'streamEnds', streams: [stream] },
  { kind: 'head' },
]

const moved: DrawnSave = {
  ...{ kind: 'save', projection: 'p', from: 'there', forward: 1, termsUp: 0, note: {}, mayBeLost: false, as: 'step' },
  rows: ['a', 'aa', 'b'].map((key) => ({ key, value: { n: 1 } })),
}
const rowSteps: readonly RowStep[] = [
  moved,
  { ...moved, from: 'before', rows: [{ key: 'a', value: 'late' }] },
  { kind: 'listRows', projection: 'p', query: { prefix: 'a', where: [{ field: 'n', least: 1 }], limit: 1 } },
  { kind: 'loadRowsWithCheckpoint', projection: 'p', keys: ['a', 'none'] },
  { kind: 'saveSnapshot', stream, sequence: 1, state: 'x', keep: 1 },
  { kind: 'loadSnapshot', stream },
  { kind: 'acquireLease', lease: 'lease', owner: 'one', durationMs: 1000 },
  { kind: 'wait', durationMs: 999 },
  { kind: 'acquireLease', lease: 'lease', owner: 'another', durationMs: 1000 },
]

test('a store that keeps the contract gives the same answers', async () => {
  await playLog({ factory: memory() }, steps)
  await playRows({ factory: memory() }, rowSteps, able)
})

test('a store with a wrong answer is detected, and its place is cleaned up', async () => {
  let cleaned = 0
  const cleanUp = async () => {
    cleaned++
  }
  await assert.rejects(
    playLog({ factory: altered(() => ({ head: async () => 7 })), cleanUp }, steps),
    assert.AssertionError,
  )
  assert.equal(cleaned, 1)
})

const lastOfLog = (page: Page): Page => ({ ...page, isLast: true })

for (const [fault, alter] of Object.entries<Alter>({
  'reads behind a place that is not there': ({ readAll }) => ({
    readAll: (range, { behind: _, ...options } = {}) => readAll(range, options),
  }),
  'says that a page is the last if it is not': ({ readAll }) => ({
    readAll: async (...read) => lastOfLog(await readAll(...read)),
  }),
  'returns another checksum of a page': ({ readAll }) => ({
    readAll: async (...read) => ({ ...(await readAll(...read)), checksum: 1 }),
  }),
  'ignores reservations': () => ({ reserve: async (streams) => streams.map(() => true) }),
  'does not know where a stream ends': ({ streamEnds }) => ({
    streamEnds: async (streams) => (await streamEnds(streams)).map((end) => ({ ...end, checksum: 1 })),
  }),
  'forgets who writes': ({ append }) => ({ append: (commits, _: AppendOptions | undefined) => append(commits) }),
})) {
  test(`a store is detected that ${fault}`, async () => {
    await assert.rejects(playLog({ factory: altered(alter) }, steps), assert.AssertionError)
  })
}

for (const [fault, alter] of Object.entries<Alter>({
  'saves a late step': ({ saveStep, loadCheckpoint }) => ({
    saveStep: async (of, step) => saveStep(of, { ...step, from: await loadCheckpoint(of) }),
  }),
  'leaves out a row that meets a condition': ({ listRows }) => ({
    listRows: async (of, query) => (query.where === undefined ? listRows(of, query) : { rows: [] }),
  }),
  'ignores a prefix': ({ listRows }) => ({ listRows: (of, { prefix: _, ...query }) => listRows(of, query) }),
  'loads no row': ({ loadRowsWithCheckpoint }) => ({
    loadRowsWithCheckpoint: async (of, keys) => ({
      ...(await loadRowsWithCheckpoint(of, keys)),
      values: keys.map(() => undefined),
    }),
  }),
  'loses a snapshot': () => ({ loadSnapshot: async () => undefined }),
  'gives a lease to everybody': ({ acquireLease }) => ({
    acquireLease: async (...asked) => ({ ...(await acquireLease(...asked)), owner: asked[1] }),
  }),
})) {
  test(`a store is detected that ${fault}`, async () => {
    await assert.rejects(playRows({ factory: altered(alter) }, rowSteps, able), assert.AssertionError)
  })
}

test('a store that loses data at reopening is detected', async () => {
  const factory: StoreFactory = { name: 'forgetful', open: (options) => memory().open(options) }
  await assert.rejects(playLog({ factory }, steps), assert.AssertionError)
})

/** What the store answers to random steps. */
async function answersTo<Drawn>(
  step: fc.Arbitrary<Drawn>,
  play: (factory: StoreFactory, steps: readonly Drawn[]) => Promise<void>,
): Promise<readonly string[]> {
  const seen = new Set<string>()
  const noteCode = (error: { readonly code: string }) => {
    seen.add(error.code)
    throw error
  }
  const watch: Alter = ({ append, readAll, saveStep, listRows }) => ({
    append: async (...asked) => {
      const results = await append(...asked)
      for (const result of results) seen.add('reserved' in result ? 'reserved' : result.status)
      return results
    },
    readAll: (...asked) => readAll(...asked).catch(noteCode),
    saveStep: (...asked) => saveStep(...asked).catch(noteCode),
    listRows: async (...asked) => {
      const page = await listRows(...asked)
      if (page.rows.length > 0) seen.add(page.next === undefined ? 'last rows' : 'rows')
      return page
    },
  })
  const sequences = fc.array(step, { maxLength: 40, size: 'max' })
  const property = fc.asyncProperty(sequences, (steps) => play(altered(watch), steps))
  await fc.assert(property, { numRuns: 30, seed: 1 })
  return [...seen].sort()
}

test('the random steps collide', async () => {
  const ofLog = await answersTo(drawStep(able), (factory, drawnSteps) => playLog({ factory }, drawnSteps))
  assert.deepEqual(ofLog, ['LOG_REPLACED', 'conflict', 'duplicate', 'reserved', 'stored'])
  const ofRows = await answersTo(drawRowStep(able), (factory, drawnSteps) => playRows({ factory }, drawnSteps, able))
  assert.deepEqual(ofRows, ['CHECKPOINT_CONFLICT', 'last rows', 'rows'])
})
