/**
 * Three members in processes of their own under load, while one of them is killed, stands still or stops. Callers of
 * the others get no error, and every answer is what the log says.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { Callers, checkTold, MemberProcess } from '../support/cluster/members.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { findMongodb } from '../support/servers/mongodb-server.ts'
import { dropSchema, freshSchema } from '../support/servers/postgres-place.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

type Fault = 'killed' | 'frozen' | 'stopped'
async function underLoad(context: TestContext, place: Place, fault: Fault, rounds: number): Promise<void> {
  await withSeed(async (random) => {
    const members = await Promise.all([1, 2, 3].map(() => new MemberProcess(context).start(place)))
    const callers = new Callers(
      () => members,
      20,
      () => random.next(),
    )
    const running = Array.from({ length: 12 }, () => callers.run())
    for (let round = 0; round < rounds; round++) {
      await callers.goOn(random.int(50, 200))
      const at = random.int(0, 2)
      const member = members[at]!
      if (fault === 'frozen') await member.freeze(2500 + 2000 * random.next())
      else if (fault === 'killed') await member.kill()
      else {
        members.splice(at, 1)
        await member.stop()
        members.push(await new MemberProcess(context).start(place))
      }
      if (fault === 'killed') members[at] = await new MemberProcess(context).start(place)
    }
    await callers.goOn(100)
    callers.end()
    await Promise.all(running)
    await Promise.all(members.map((member) => member.stop()))
    const waits = callers.waits.toSorted((a, b) => a - b)
    context.diagnostic(`${callers.told.size} commands; the longest wait was ${Math.round(waits.at(-1)!)} ms`)
    await checkTold(storeAt(place), callers.told)
  })
}

/** @param place a fresh place for a test */
function declare(place: (context: TestContext) => Promise<Place>): void {
  test('a member that is killed is replaced', async (t) => underLoad(t, await place(t), 'killed', sized(6, 2)))
  test('a member that stands still is replaced, and comes back', async (t) =>
    underLoad(t, await place(t), 'frozen', sized(3, 1)))
  test('all members are replaced one after the other', async (t) =>
    underLoad(t, await place(t), 'stopped', sized(6, 3)))
}

describe('In a cluster on SQLite', () =>
  declare(async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-cluster-'))
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
    return { store: 'sqlite', path: join(directory, 'log.db') }
  }))

await onServer('In a cluster on PostgreSQL', findPostgres, (server) =>
  declare(async (t) => {
    const schema = freshSchema()
    t.after(() => dropSchema(server, schema))
    return { store: 'postgres', url: server.url, schema }
  }),
)

await onServer('In a cluster on MongoDB', findMongodb, (server) =>
  declare(async () => ({ store: 'mongodb', url: server.url, database: `cluster-${Date.now()}-${process.pid}` })),
)
