/** The SQLite store under `kill -9`, at any moment. */
import { test } from 'node:test'
import { runRounds } from '../support/crash/rounds.ts'
import { sized } from '../support/size.ts'

test('a SQLite store whose writer is killed loses nothing that was acknowledged and doubles nothing', {
  timeout: 1_100_000,
}, async (context) => {
  await runRounds(context, 'killed on sqlite', {
    rounds: sized(25, 5),
    placeAt: (path) => ({ store: 'sqlite', path }),
  })
})
