/** A process that measures one workload on one store, for a peer or for Mneme, and sends what it found. */
import { median } from '../figure.ts'
import { workloads } from '../plan.ts'
import { measureThroughput } from '../rounds.ts'
import { makePlace, type Setting } from '../setting.ts'
import { castoreFold, castoreLoads } from './castore.ts'
import { emmettFold, emmettLoads, failedOnTheWay } from './emmett.ts'
import { emmettProjection } from './emmett-projection.ts'

export type System = 'mneme' | 'emmett' | 'castore'

/** What such a process is told, as JSON in its only argument. */
export interface Order {
  readonly system: System
  readonly workload: string
  readonly setting: Setting
}

/** What it answers: a rate, and how many operations failed on the way and were tried again. */
export type Answer = { readonly value: number; readonly failed: number } | { readonly failure: string }

const { system, workload, setting } = JSON.parse(process.argv[2]!) as Order
const foldEvents = 10_000
/** A tenth of what ours has to catch up with; a consumer that handles one by one has the same rate over more. */
const projectedEvents = 10_000

async function ours(): Promise<number> {
  const figures = await workloads.find(({ id }) => id === workload)!.measure(setting)
  return figures.find(({ id }) => id === workload)!.value
}

async function theirs(): Promise<number> {
  const load = (system === 'emmett' ? emmettLoads : castoreLoads).find(({ id }) => id === workload)
  if (load !== undefined) return (await measureThroughput(load, setting)).value
  const place = makePlace(setting)
  if (workload.startsWith('W7')) {
    return rateOf(await emmettProjection(place, projectedEvents, workload), projectedEvents, setting.rounds, 1)
  }
  const fold = await (system === 'emmett' ? emmettFold : castoreFold)(place, foldEvents)
  return rateOf(fold, foldEvents, 3 * setting.rounds, 2)
}

/** Events a second, by the median of the rounds that count. */
async function rateOf(
  once: () => Promise<number>,
  events: number,
  rounds: number,
  warmUpRounds: number,
): Promise<number> {
  const seconds: number[] = []
  for (let round = 0; round < rounds + warmUpRounds; round++) seconds.push(await once())
  return events / median(seconds.slice(warmUpRounds))
}

async function answer(): Promise<Answer> {
  try {
    return { value: await (system === 'mneme' ? ours() : theirs()), failed: failedOnTheWay() }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

process.send!(await answer(), () => process.exit())
