/** Domains that are simulated: each uses other parts of the library. */
import { Random } from '../../../src/testing/random.ts'
import type { SimulationReport } from '../../../src/testing/simulation/simulate.ts'
import { disks } from './disks.ts'
import { ledgers } from './ledgers.ts'
import { members } from './members.ts'
import { orders } from './orders.ts'
import { parcels } from './parcels.ts'
import { people } from './people.ts'
import { seats } from './seats.ts'
import { transfers } from './transfers.ts'
import { upgrades } from './upgrades.ts'
import { workshops } from './workshops.ts'

/** A domain with its clients. */
export interface Scenario {
  readonly name: string
  /** Simulates one run. @throws SimulationFailed */
  readonly run: (seed: number, steps: number, minimise?: boolean) => Promise<SimulationReport>
  /** How often a seed chooses it, compared with others. It is less if a run takes longer. */
  readonly weight: number
}

export const scenarios: readonly Scenario[] = [
  { name: 'transfers', run: transfers, weight: 4 },
  { name: 'seats', run: seats, weight: 4 },
  { name: 'parcels', run: parcels, weight: 4 },
  { name: 'upgrades', run: upgrades, weight: 4 },
  { name: 'members', run: members, weight: 1 },
  { name: 'people', run: people, weight: 2 },
  { name: 'ledgers', run: ledgers, weight: 2 },
  { name: 'disks', run: disks, weight: 1 },
  { name: 'orders', run: orders, weight: 1 },
  { name: 'workshops', run: workshops, weight: 2 },
]

const weighted = scenarios.flatMap((scenario) => Array.from({ length: scenario.weight }, () => scenario))

/** The scenario that a seed chooses. So a seed alone is one run. */
export const scenarioOf = (seed: number): Scenario => new Random(seed ^ 0x5ce7a).pick(weighted)

/** @throws Error if there is none of this name */
export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((each) => each.name === name)
  if (found === undefined) throw new Error(`The scenarios are ${scenarios.map((each) => each.name).join(', ')}`)
  return found
}
