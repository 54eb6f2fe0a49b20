/**
 * Members of a cluster: the domains of other scenarios, in processes that send each command to the owner of its stream.
 * Between the members links break, and lines are cut.
 */
import { drawFaults } from '../../../src/testing/simulation/faults.ts'
import type { SimulationReport } from '../../../src/testing/simulation/simulate.ts'
import { seats } from './seats.ts'
import { transfers } from './transfers.ts'
import { upgrades } from './upgrades.ts'

const domains = [transfers, seats, upgrades]

export const members = (seed: number, steps: number, minimise = true): Promise<SimulationReport> =>
  domains[seed % domains.length]!(seed, steps, minimise, { cluster: true, processes: 3, faults: drawFaults(seed) })
