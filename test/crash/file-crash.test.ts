/** The file store under `kill -9`: at any moment, and at each call to the disk. */
import { test } from 'node:test'
import { runRounds } from '../support/crash/rounds.ts'
import { sized } from '../support/size.ts'

test('a file store whose writer is killed loses nothing that was acknowledged and doubles nothing', {
  timeout: 1_100_000,
}, async (context) => {
  await runRounds(context, 'killed on file', {
    rounds: sized(30, 6),
    placeAt: (path, random) => ({
      store: 'file',
      path,
      segmentBytesMax: random.pick([4_000, 16_000, 64_000, 1_000_000]),
      compactBytesMin: random.pick([1_000, 20_000]),
      mayLoseOnPowerFailure: false,
    }),
  })
})
