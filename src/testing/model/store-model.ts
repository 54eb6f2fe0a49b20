/**
 * Plays random steps on a store and on a model that is too simple to be wrong. Every answer must be the same. If one
 * differs, fast-check finds the shortest sequence of steps that still shows it. There is one caller at a time; the
 * conformance kit tests races.
 *
 * Tidy: imports a package because fast-check draws and shrinks the steps. Users of the model install it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Commit, commit } from '../../store/commit.ts'
import { everything } from '../../store/range.ts'
import type { Store } from '../../store/store.ts'
import type { MakeStore, StorePlace } from '../conformance/kit.ts'
import { ModelStore } from './model-store.ts'
import { type DrawnCommit, drawStep, type Step } from './steps.ts'

/** How much is tried, and what the store can do. */
export interface ModelOptions {
  /** How many sequences of steps are played, each on a fresh place. 50 by default. */
  readonly runs?: number
  /** The most steps in a sequence. 40 by default. */
  readonly stepsMax?: number
  /** Repeats the sequences of an earlier failure. */
  readonly seed?: number
  /** Whether a place still has everything after it is closed and opened again. `true` by default. */
  readonly survivesReopen?: boolean
}

/**
 * Declares a test that compares a store with the model.
 *
 *     storeModel('mine', async () => ({ factory: mine(await freshDirectory()) }))
 */
export function storeModel(name: string, makeStore: MakeStore, options: ModelOptions = {}): void {
  const { runs = 50, stepsMax = 40, seed, survivesReopen = true } = options
  const sequences = fc.array(drawStep(survivesReopen), { minLength: 1, maxLength: stepsMax, size: 'max' })
  describe(`The store ${name} beside the model`, () => {
    // The name is repeated, because the end of a run tells of a test without what it is in.
    test(`of ${name} gives the same answers to any calls in any order`, async () => {
      const property = fc.asyncProperty(sequences, async (steps) => play(await makeStore(), steps))
      await fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) })
    })
  })
}

/**
 * Plays steps on a fresh place and on the model.
 *
 * @throws AssertionError at the first answer that differs
 * @internal
 */
export async function play({ factory, cleanUp }: StorePlace, steps: readonly Step[]): Promise<void> {
  const open = () => factory.open({ now: () => 0, warn: () => {} })
  const model = new ModelStore()
  let store = await open()
  try {
    for (const step of steps) {
      if (step.kind === 'reopen') {
        await store.close()
        store = await open()
      } else {
        assert.deepEqual(plain(await real(store, model, step)), plain(expected(model, step)))
      }
    }
    const whole = { limit: Number.POSITIVE_INFINITY }
    assert.deepEqual(plain(await store.readAll(everything, whole)), plain(model.readAll(everything, whole)))
  } finally {
    await store.close()
    await cleanUp?.()
  }
}

type Asked = Exclude<Step, { readonly kind: 'reopen' }>

function real(store: Store, model: ModelStore, step: Asked): Promise<unknown> {
  switch (step.kind) {
    case 'append':
      return store.append(commitsOf(model, step.commits))
    case 'readStream':
      return store.readStream(step.stream, step.range, step.options)
    case 'readAll':
      return store.readAll(step.range, step.options)
    case 'findCommit':
      return store.findCommit(step.stream, step.id)
    case 'listStreams':
      return listed(store, step)
    case 'head':
      return store.head()
  }
}

function expected(model: ModelStore, step: Asked): unknown {
  switch (step.kind) {
    case 'append':
      return model.append(commitsOf(model, step.commits))
    case 'readStream':
      return model.readStream(step.stream, step.range, step.options)
    case 'readAll':
      return model.readAll(step.range, step.options)
    case 'findCommit':
      return model.findCommit(step.stream, step.id)
    case 'listStreams':
      return model.listStreams(step.aggregate, step.query.after)
    case 'head':
      return model.head()
  }
}

/** The ids of all pages, from the first one asked for on. */
async function listed(store: Store, { aggregate, query }: Asked & { kind: 'listStreams' }): Promise<readonly string[]> {
  const all: string[] = []
  for (let page = await store.listStreams(aggregate, query); ; ) {
    all.push(...page.ids)
    if (page.next === undefined) return all
    page = await store.listStreams(aggregate, { ...query, after: page.next })
  }
}

/** The commits of a batch. Exact expectations are computed from the model and from earlier commits of the batch. */
function commitsOf(model: ModelStore, drawn: readonly DrawnCommit[]): readonly Commit[] {
  const hoped = new Map<string, number>()
  return drawn.map(({ stream, expected, id, recordedAt, types, tags }) => {
    const key = JSON.stringify([stream.aggregate, stream.id])
    const sequence = hoped.get(key) ?? model.sequence(stream)
    hoped.set(key, sequence + types.length)
    const events = types.map((type, i) => ({ type, data: { i, of: id }, metadata: { recordedAt }, tags }))
    return commit({ stream, expected: exact(expected, sequence), id, recordedAt, events })
  })
}

function exact(expected: DrawnCommit['expected'], sequence: number): Commit['expected'] {
  if (typeof expected === 'string') return expected
  return 'ahead' in expected ? Math.max(sequence + expected.ahead, 0) : expected.sequence
}

/** An answer without prototypes, checksums and `isLast`: stores may differ in these. */
const plain = (answer: unknown): unknown =>
  answer === undefined
    ? answer
    : JSON.parse(JSON.stringify(answer, (key, value) => (key === 'checksum' || key === 'isLast' ? 0 : value)))
