/** Faults of a scenario in which the store goes back to an older state in some runs, and only its log in others. */
import { drawFaults, type FaultRates } from '../../../src/testing/simulation/faults.ts'

/** The faults that the seed draws. In every other run the store also goes back, and in some, clients give up. */
export function faultsWithRestores(seed: number): FaultRates {
  const drawn = drawFaults(seed)
  if (seed % 4 === 1) return { ...drawn, restore: 0.04 }
  if (seed % 4 === 3) return { ...drawn, restoreLog: 0.04 }
  return seed % 16 === 8 ? { ...drawn, giveUp: 0.3 } : drawn
}
