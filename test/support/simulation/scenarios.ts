/** Domains that are simulated: each uses other parts of the library. */
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

/** A domain with its clients. */
export interface Scenario {
  readonly name: string
  /** Simulates one run. @throws SimulationFailed */
  readonly run: (seed: number, steps: number, minimise?: boolean) => Promise<SimulationReport>
  /** Which seeds are run where many are: each, or one of so many, as a run takes longer than one of the others. */
  readonly oneOf: number
}

export const scenarios: readonly Scenario[] = [
  { name: 'transfers', run: transfers, oneOf: 1 },
  { name: 'seats', run: seats, oneOf: 1 },
  { name: 'parcels', run: parcels, oneOf: 1 },
  { name: 'upgrades', run: upgrades, oneOf: 1 },
  { name: 'members', run: members, oneOf: 4 },
  { name: 'people', run: people, oneOf: 2 },
  { name: 'ledgers', run: ledgers, oneOf: 2 },
  { name: 'disks', run: disks, oneOf: 4 },
  { name: 'orders', run: orders, oneOf: 4 },
]
