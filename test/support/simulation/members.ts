/**
 * Members of a cluster: the domains of other scenarios, in processes that send each command to the owner of its stream.
 * Between the members links break, and lines are cut.
 */
import { drawFaults } from '../../../src/testing/simulation/faults.ts'
import type { SimulationReport } from '../../../src/testing/simulation/simulate.ts'
import { orders } from './orders.ts'
import { seats } from './seats.ts'
import { transfers } from './transfers.ts'
import { upgrades } from './upgrades.ts'

const domains = [transfers, seats, upgrades]
const standing = { standStill: 0.02, slow: 0.05, loseHint: 0.2, crash: 0.01, cut: 0.05 }

export function members(seed: number, steps: number, minimise = true): Promise<SimulationReport> {
  const drawn = drawFaults(seed)
  // Some runs have many owners that others give up although they are alive, and that come and go.
  const hostile = { ...drawn, cut: 0.15, breakLink: 0.03, stop: 0.08, freeze: 0.1, slow: 0.15, loseAnswer: 0.08 }
  const kind = Math.floor(seed / 4) % 4
  const together = { cluster: true, processes: 3 }
  // Owners that stand still while the reaction that has sent them a command is overtaken.
  if (seed % 16 === 12) return orders(seed, steps, minimise, { ...together, faults: standing })
  const faults = kind === 1 ? hostile : kind === 2 ? { ...hostile, giveUp: 0.3 } : drawn
  return domains[seed % domains.length]!(seed, steps, minimise, { ...together, faults })
}
