/** How the processes of a scenario are together: what a cluster of them has other than the scenario itself. */
import type { FaultRates } from '../../../src/testing/simulation/faults.ts'

export interface Together {
  readonly cluster?: boolean
  readonly processes?: number
  readonly faults?: Partial<FaultRates>
}
