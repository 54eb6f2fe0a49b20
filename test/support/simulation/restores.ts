/** Faults of a scenario in which the store goes back to an older state in some runs, and only its log in others. */
import { drawFaults, type FaultRates } from '../../../src/testing/simulation/faults.ts'

/** The faults that the seed draws; in every other run the store also goes back. */
export function faultsWithRestores(seed: number): FaultRates {
  const drawn = drawFaults(seed)
  if (seed % 4 === 1) return { ...drawn, restore: 0.04 }
  return seed % 4 === 3 ? { ...drawn, restoreLog: 0.04 } : drawn
}
