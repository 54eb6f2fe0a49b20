/**
 * The file store itself: the domains of other scenarios on a simulated disk, whose machine loses its power, and whose
 * backups are put back. Also personal values, whose keys must not come back.
 */
import { drawFaults, type FaultRates } from '../../../src/testing/simulation/faults.ts'
import type { SimulationReport } from '../../../src/testing/simulation/simulate.ts'
import { parcels } from './parcels.ts'
import { people } from './people.ts'
import { seats } from './seats.ts'
import { transfers } from './transfers.ts'
import { upgrades } from './upgrades.ts'

const domains = [transfers, seats, parcels, upgrades, people]
/** Those in which the log may go back alone: what a reaction did before may be done again. */
const repeatable: readonly unknown[] = [seats, parcels, upgrades]

export function disks(seed: number, steps: number, minimise = true): Promise<SimulationReport> {
  const drawn = drawFaults(seed)
  const domain = domains[seed % domains.length]!
  // Some runs lose their power often, in the middle of much work, and some have a disk that fails often.
  const faults = [
    drawn,
    { ...drawn, losePower: 0.25, crash: 0.05, failDisk: 0 },
    { ...drawn, losePower: 0.1, failDisk: 0.06 },
  ][Math.floor(seed / 4) % 3]!
  return domain(seed, steps, minimise, {
    profile: 'file-on-disk',
    processes: 1,
    faults: { ...faults, ...lossesOf(seed, repeatable.includes(domain)) },
  })
}

/** What loses something that was acknowledged, in five runs of nine. */
function lossesOf(seed: number, mayRepeat: boolean): Partial<FaultRates> {
  const kind = Math.floor(seed / 12) % 3
  if (kind === 0) return {}
  if (kind === 1) return { misdirect: 0.2 }
  // What a failure of the power has left is to be seen, so no restore follows where there are many.
  if (Math.floor(seed / 4) % 3 === 1) return {}
  return mayRepeat && seed % 8 >= 4 ? { restoreLog: 0.05 } : { restore: 0.05 }
}
