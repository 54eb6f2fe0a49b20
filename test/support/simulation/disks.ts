/**
 * The file store itself: the domains of other scenarios on a simulated disk, whose machine loses its power. Also
 * personal values, whose keys must not come back.
 */
import { drawFaults } from '../../../src/testing/simulation/faults.ts'
import type { SimulationReport } from '../../../src/testing/simulation/simulate.ts'
import { parcels } from './parcels.ts'
import { people } from './people.ts'
import { seats } from './seats.ts'
import { transfers } from './transfers.ts'
import { upgrades } from './upgrades.ts'

const domains = [transfers, seats, parcels, upgrades, people]

export function disks(seed: number, steps: number, minimise = true): Promise<SimulationReport> {
  const drawn = drawFaults(seed)
  // Some runs lose their power often, in the middle of much work, and some have a disk that fails often.
  const faults = [
    drawn,
    { ...drawn, losePower: 0.25, crash: 0.05, failDisk: 0 },
    { ...drawn, losePower: 0.1, failDisk: 0.06 },
  ][Math.floor(seed / 4) % 3]!
  return domains[seed % domains.length]!(seed, steps, minimise, { profile: 'file-on-disk', processes: 1, faults })
}
