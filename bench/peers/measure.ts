/** A process that measures one workload on one store, for Emmett or for Mneme, and sends what it found. */
import { median } from '../figure.ts'
import { workloads } from '../plan.ts'
import { measureThroughput } from '../rounds.ts'
import { makePlace, type Setting } from '../setting.ts'
import { emmettFold, emmettLoads, failedOnTheWay } from './emmett.ts'

/** What such a process is told, as JSON in its only argument. */
export interface Order {
  readonly system: 'mneme' | 'emmett'
  readonly workload: string
  readonly setting: Setting
}

/** What it answers: a rate, and how many operations failed on the way and were tried again. */
export type Answer = { readonly value: number; readonly failed: number } | { readonly failure: string }

const { system, workload, setting } = JSON.parse(process.argv[2]!) as Order
const foldEvents = 10_000

async function ours(): Promise<number> {
  const figures = await workloads.find(({ id }) => id === workload)!.measure(setting)
  return figures.find(({ id }) => id === workload)!.value
}

async function theirs(): Promise<number> {
  const load = emmettLoads.find(({ id }) => id === workload)
  if (load !== undefined) return (await measureThroughput(load, setting)).value
  const fold = await emmettFold(makePlace(setting), foldEvents)
  const seconds: number[] = []
  for (let round = 0; round < 3 * setting.rounds + 2; round++) seconds.push(await fold())
  return foldEvents / median(seconds.slice(2))
}

async function answer(): Promise<Answer> {
  try {
    return { value: await (system === 'mneme' ? ours() : theirs()), failed: failedOnTheWay() }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

process.send!(await answer(), () => process.exit())
