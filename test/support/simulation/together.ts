/** How the processes of a scenario are together, and on which store: what is other than in the scenario itself. */
import type { FaultRates } from '../../../src/testing/simulation/faults.ts'
import type { ProfileName } from '../../../src/testing/simulation/profiles.ts'

export interface Together {
  readonly cluster?: boolean
  readonly profile?: ProfileName
  readonly processes?: number
  readonly faults?: Partial<FaultRates>
}
