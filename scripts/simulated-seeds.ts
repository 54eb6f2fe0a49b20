/**
 * Simulates many seeds, several at the same time: each in one of some threads. What a seed comes to does not depend on
 * the thread.
 */
import type { SimulationReport } from '../src/testing/index.ts'
import { scenarios } from '../test/support/simulation/scenarios.ts'
import { startThread } from './threads.ts'

/** What runs a seed: its scenarios, one after the other, up to the first that breaks a promise. */
export type RunSeed = (seed: number) => Promise<SeedRun>

export interface SeedRun {
  /** Of the runs that kept all promises. */
  readonly reports: readonly SimulationReport[]
  readonly failure?: Failure
}

interface Failure {
  readonly scenario: string
  readonly message: string
}

interface FailedSeed extends Failure {
  readonly seed: number
}

export interface SeedOptions {
  /** The scenario by its name; all of them by default. */
  readonly scenario: string | undefined
  readonly steps: number
  /** Whether scenarios whose runs take longer run only one of some seeds. */
  readonly isOneOfMany: boolean
}

/** Runs a seed in this thread. */
export async function runSeed(seed: number, { scenario, steps, isOneOfMany }: SeedOptions): Promise<SeedRun> {
  const reports: SimulationReport[] = []
  for (const { name, run, oneOf } of scenarios) {
    if (scenario !== undefined && name !== scenario) continue
    if (isOneOfMany && seed % oneOf !== 0) continue
    try {
      reports.push(await run(seed, steps))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return { reports, failure: { scenario: name, message } }
    }
  }
  return { reports }
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
 * @param took is given what each seed came to
 */
export async function runSeeds(
  seeds: Iterator<number, unknown>,
  runners: readonly RunSeed[],
  took: (run: SeedRun) => void,
): Promise<FailedSeed | undefined> {
  const failed: FailedSeed[] = []
  const work = async (run: RunSeed) => {
    while (failed.length === 0) {
      const next = seeds.next()
      if (next.done) return
      const seed = next.value
      const found = await run(seed)
      took(found)
      if (found.failure !== undefined) failed.push({ ...found.failure, seed })
    }
  }
  await Promise.all(runners.map(work))
  return failed.sort((a, b) => a.seed - b.seed)[0]
}
