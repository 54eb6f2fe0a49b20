/**
 * Simulates many seeds, several at the same time: each in one of some threads. A seed is one run. What it comes to does
 * not depend on the thread.
 */
import type { SimulationReport } from '../src/testing/index.ts'
import { scenarioNamed, scenarioOf } from '../test/support/simulation/scenarios.ts'
import { startThread } from './threads.ts'

/** What runs a seed. */
export type RunSeed = (seed: number) => Promise<SeedRun>

/** What a run came to: what it has met, or why it failed. */
export type SeedRun = { readonly report: SimulationReport } | { readonly failure: Failure }

interface Failure {
  readonly scenario: string
  readonly message: string
}

interface FailedSeed extends Failure {
  readonly seed: number
}

export interface SeedOptions {
  /** The scenario by its name; the one that the seed chooses by default. */
  readonly scenario: string | undefined
  readonly steps: number
}

/** Runs a seed in this thread. */
export async function runSeed(seed: number, { scenario, steps }: SeedOptions): Promise<SeedRun> {
  const { name, run } = scenario === undefined ? scenarioOf(seed) : scenarioNamed(scenario)
  try {
    return { report: await run(seed, steps) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { failure: { scenario: name, message } }
  }
}

/** Starts a thread that runs one seed after the other. */
export function startSeeds(options: SeedOptions): { readonly run: RunSeed; readonly end: () => Promise<unknown> } {
  const file = new URL('./simulation-thread.ts', import.meta.url)
  const { ask, end } = startThread<number, SeedRun>({ file, data: options, inWords: (seed) => `seed ${seed}` })
  return { run: ask, end }
}

/**
 * Gives each seed to whoever is free, in order, until one fails. Those before it are then still run to their end, so
 * the first that fails is found.
 *
 * @param took is given what each run has met
 */
export async function runSeeds(
  seeds: Iterator<number, unknown>,
  runners: readonly RunSeed[],
  took: (report: SimulationReport) => void,
): Promise<FailedSeed | undefined> {
  const failed: FailedSeed[] = []
  const work = async (run: RunSeed) => {
    while (failed.length === 0) {
      const next = seeds.next()
      if (next.done) return
      const seed = next.value
      const found = await run(seed)
      if ('failure' in found) failed.push({ ...found.failure, seed })
      else took(found.report)
    }
  }
  await Promise.all(runners.map(work))
  return failed.sort((a, b) => a.seed - b.seed)[0]
}
