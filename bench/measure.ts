/** A process that measures one workload on one store, so that no figure disturbs another, and sends what it found. */
import type { Figure } from './figure.ts'
import { workloads } from './plan.ts'
import type { Setting } from './setting.ts'

/** What such a process is told, as JSON in its only argument. */
export interface Order {
  readonly workload: string
  readonly setting: Setting
}

/** What it answers. */
export type Answer = { readonly figures: readonly Figure[] } | { readonly failure: string }

const { workload, setting } = JSON.parse(process.argv[2]!) as Order

async function answer(): Promise<Answer> {
  try {
    return { figures: await workloads.find(({ id }) => id === workload)!.measure(setting) }
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

process.send!(await answer(), () => process.exit())
