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

export function members(seed: number, steps: number, minimise = true): Promise<SimulationReport> {
  const drawn = drawFaults(seed)
  // Some runs have many owners that others give up although they are alive, and that come and go.
  const hostile = { ...drawn, cut: 0.15, breakLink: 0.03, stop: 0.08, freeze: 0.1, slow: 0.15, loseAnswer: 0.08 }
  const faults = Math.floor(seed / 4) % 4 === 1 ? hostile : drawn
  return domains[seed % domains.length]!(seed, steps, minimise, { cluster: true, processes: 3, faults })
}
