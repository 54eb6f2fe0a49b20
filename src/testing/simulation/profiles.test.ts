/** Each profile of the simulated store keeps the same contract as the real store. */
import { sized } from '../../../test/support/size.ts'
import { storeConformance } from '../conformance/index.ts'
import { Random } from '../random.ts'
import { profileNames, profiles } from './profiles.ts'
import { simulatedStore } from './simulated-store.ts'

// Without a network between, that of NATS does the same as that of MongoDB. A store that runs itself has its own tests.
const names = profileNames.filter((name) => !profiles[name].isItself && (name !== 'nats' || sized(1, 0) === 1))

for (const name of names) {
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
