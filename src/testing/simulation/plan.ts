/**
 * What is to happen in a run: what clients do, and what befalls processes. A plan is made before the run begins. It is
 * plain data, so a failing plan can be made smaller and run again. Chance within a run (delays, which call fails)
 * follows from its seed.
 */
import { checkPlainCommand, type PlainCommand } from '../../domain/plain-command.ts'
import { Random } from '../random.ts'
import type { FaultRates } from './faults.ts'

/** Something that happens at a time, in milliseconds after faults begin. */
export type Action = { readonly atMs: number; readonly process: number } & (
  | {
      readonly kind: 'command'
      readonly client: number
      readonly command: PlainCommand
      readonly isRepeatable: boolean
    }
  | { readonly kind: 'repeat'; readonly client: number }
  | { readonly kind: 'state'; readonly aggregate: string; readonly id: string }
  | { readonly kind: 'crash' | 'stop' | 'freeze'; readonly forMs: number }
  | { readonly kind: 'setClock'; readonly byMs: number }
  | { readonly kind: 'rebuild'; readonly projection: string }
)

export interface Plan {
  readonly seed: number
  readonly processes: number
  readonly rates: FaultRates
  readonly actions: readonly Action[]
}

export interface PlanOptions {
  readonly seed: number
  readonly processes: number
  readonly steps: number
  readonly rates: FaultRates
  readonly command: (random: Random) => PlainCommand
  /** The keys of the projections that can be rebuilt. */
  readonly projections: readonly string[]
}

const pauseMsMean = 40

export function makePlan({ seed, processes, steps, rates, command, projections }: PlanOptions): Plan {
  const random = new Random(seed)
  const actions: Action[] = []
  let atMs = 0
  const process = () => random.int(0, processes - 1)
  for (let client = 1; client <= steps; client++) {
    // Sometimes many come at once, sometimes nobody for long.
    atMs += random.chance(0.3) ? 0 : -pauseMsMean * Math.log(1 - random.next())
    const sent: unknown = command(random)
    checkPlainCommand(sent)
    const isRepeatable = random.chance(0.5)
    actions.push({ atMs, process: process(), kind: 'command', client, command: sent, isRepeatable })
    const { aggregate, id } = sent
    if (random.chance(0.2)) actions.push({ atMs, process: process(), kind: 'state', aggregate, id })
    if (random.chance(rates.repeat) && isRepeatable) {
      actions.push({ atMs: atMs + random.int(0, 500), process: process(), kind: 'repeat', client })
    }
    if (random.chance(rates.crash)) {
      actions.push({ atMs, process: process(), kind: 'crash', forMs: random.int(0, 3000) })
    }
    if (random.chance(rates.stop)) actions.push({ atMs, process: process(), kind: 'stop', forMs: random.int(0, 1000) })
    if (random.chance(rates.freeze)) {
      actions.push({ atMs, process: process(), kind: 'freeze', forMs: random.int(10, 30_000) })
    }
    if (random.chance(rates.setClock)) {
      actions.push({ atMs, process: process(), kind: 'setClock', byMs: random.int(-60_000, 60_000) })
    }
    if (projections.length > 0 && random.chance(rates.rebuild)) {
      actions.push({ atMs, process: process(), kind: 'rebuild', projection: random.pick(projections) })
    }
  }
  return { seed, processes, rates, actions: actions.sort((a, b) => a.atMs - b.atMs) }
}
