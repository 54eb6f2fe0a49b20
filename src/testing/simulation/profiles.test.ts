/** Each profile of the simulated store keeps the same contract as the real store. */
import { storeConformance } from '../conformance/index.ts'
import { Random } from '../random.ts'
import { profileNames, profiles } from './profiles.ts'
import { simulatedStore } from './simulated-store.ts'

for (const name of profileNames) {
  const profile = profiles[name]
  storeConformance(
    `simulated ${name}`,
    async () => ({ factory: simulatedStore(`simulated ${name}`, profile, new Random(1)) }),
    {
      severalWriters: !profile.singleWriter,
      injectedClock: profile.clock === 'of the machine',
      transactions: profile.hasSql,
    },
  )
}
