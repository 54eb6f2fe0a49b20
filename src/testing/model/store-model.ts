/**
 * Plays random steps on a store and on models that are too simple to be wrong. Every answer must be the same. If one
 * differs, fast-check finds the shortest sequence of steps that still shows it. There is one caller at a time, which
 * may call two openings of the same place in turns; the conformance kit tests races.
 *
 * Tidy: imports a package because fast-check draws and shrinks the steps. Users of the model install it.
 */
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { MakeStore } from '../conformance/kit.ts'
import { playLog } from './play-log.ts'
import { playRows } from './play-rows.ts'
import { drawRowStep } from './row-steps.ts'
import { drawStep, type StepsOf } from './steps.ts'

/** How much is tried, and what the store can do. */
export interface ModelOptions extends Partial<StepsOf> {
  /** How many sequences of steps are played, each on a fresh place. 50 by default. */
  readonly runs?: number
  /** The most steps in a sequence. 40 by default. */
  readonly stepsMax?: number
  /** Repeats the sequences of an earlier failure. */
  readonly seed?: number
}

/**
 * Declares two tests that compare a store with the models: one of its log, one of its rows, snapshots and leases.
 *
 *     storeModel('mine', async () => ({ factory: mine(await freshDirectory()) }))
 */
export function storeModel(name: string, makeStore: MakeStore, options: ModelOptions = {}): void {
  const { runs = 50, stepsMax = 40, seed, ...able } = options
  const steps: StepsOf = { survivesReopen: true, severalWriters: true, injectedClock: true, ...able }
  const sequences = <Step>(step: fc.Arbitrary<Step>) =>
    fc.array(step, { minLength: 1, maxLength: stepsMax, size: 'max' })
  const check = (property: fc.IAsyncProperty<unknown>) =>
    fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) })
  // The name is repeated, because the end of a run tells of a test without what it is in.
  describe(`The store ${name} beside the model`, () => {
    test(`of ${name}: the log gives the same answers to any calls in any order`, () =>
      check(fc.asyncProperty(sequences(drawStep(steps)), async (drawn) => playLog(await makeStore(), drawn))))
    test(`of ${name}: rows, snapshots and leases give the same answers to any calls in any order`, () =>
      check(
        fc.asyncProperty(sequences(drawRowStep(steps)), async (drawn) => playRows(await makeStore(), drawn, steps)),
      ))
  })
}
