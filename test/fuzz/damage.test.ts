/** What somebody else has changed on a server of a store. */
import { test } from 'node:test'
import { type FuzzTarget, fuzz, seedsOf } from '../support/fuzz/fuzz-target.ts'
import { mongodbTarget, natsTarget, postgresTarget } from '../support/fuzz/server-targets.ts'
import { findMongodb } from '../support/servers/mongodb-server.ts'
import { findNats } from '../support/servers/nats-server.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { type FindServer, onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

const kinds: readonly (readonly [find: FindServer, targetOf: (url: string) => FuzzTarget])[] = [
  [findPostgres, postgresTarget],
  [findMongodb, mongodbTarget],
  [findNats, natsTarget],
]

for (const [find, targetOf] of kinds) {
  await onServer('Fuzzing', find, ({ url }) => {
    test('a damaged store refuses with a code, or shows the events as they were', async () => {
      await fuzz(targetOf(url), seedsOf(sized(5, 1)))
    })
  })
}
