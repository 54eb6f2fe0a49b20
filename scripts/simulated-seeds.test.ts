/** Which failure is told if several seeds run at the same time, and that threads change nothing of what a seed does. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SimulationReport } from '../src/testing/index.ts'
import { scenarioOf } from '../test/support/simulation/scenarios.ts'
import { leftOut } from '../test/support/size.ts'
import { runSeed, runSeeds, type SeedRun, startSeeds } from './simulated-seeds.ts'

/** Runs that end when the test says so. */
function heldRuns() {
  const begun = new Map<number, (run: SeedRun) => void>()
  const run = (seed: number) => new Promise<SeedRun>((resolve) => begun.set(seed, resolve))
  const end = async (seed: number, isBroken = false) => {
    const failure = { scenario: 'seats', message: `seed ${seed} breaks a promise` }
    begun.get(seed)!(isBroken ? { failure } : { report: {} as SimulationReport })
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { run, end, begun: () => [...begun.keys()] }
}

const options = { scenario: 'seats', steps: 40 }
const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i).values()

describe('Seeds that run at the same time', () => {
  test('are all run once, each by whoever is free', async () => {
    const { run, end, begun } = heldRuns()
    let taken = 0
    const running = runSeeds(from(5, 4), [run, run], () => taken++)
    assert.deepEqual(begun(), [5, 6])
    await end(6)
    await end(7)
    assert.deepEqual(begun(), [5, 6, 7, 8])
    await end(5)
    await end(8)
    assert.equal(await running, undefined)
    assert.equal(taken, 4)
  })

  test('end with the first that fails, although a later one has failed before it', async () => {
    const { run, end, begun } = heldRuns()
    const running = runSeeds(from(1, 100), [run, run, run], () => {})
    await end(2, true)
    await end(3, true)
    await end(1, true)
    assert.deepEqual(begun(), [1, 2, 3])
    assert.equal((await running)?.seed, 1)
  })

  test('fail if a thread ends', async () => {
    const { run, end } = startSeeds(options)
    const running = runSeeds(from(1, 10), [run], () => {})
    await end()
    await assert.rejects(running, /The thread has ended in the middle of seed 1/)
  })

  test('come to the same in a thread, also if they fail', { skip: leftOut }, async () => {
    const { run, end } = startSeeds(options)
    assert.deepEqual(await run(3), await runSeed(3, options))
    await end()
    const failed = await runSeed(3, { ...options, steps: 0.5 })
    assert.ok('failure' in failed)
    assert.equal(failed.failure.scenario, 'seats')
    assert.match(failed.failure.message, /steps/)
  })

  test('are one run each, of the scenario that the seed chooses', async () => {
    const seed = 3
    const run = await runSeed(seed, { scenario: undefined, steps: 5 })
    assert.deepEqual(run, { report: await scenarioOf(seed).run(seed, 5) })
  })
})
