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

type Fault = 'stopped' | 'killed' | 'frozen' | 'killed while another one is frozen'

/** Longer than a lease. */
const frozenMs = 3500

/** Many kinds of faults in one run, because most of the time goes into starting processes. */
async function underLoad(context: TestContext, place: Place, faults: readonly Fault[]): Promise<void> {
  await withSeed(async (random) => {
    const start = () => new MemberProcess(context).start(place)
    const members = await Promise.all([1, 2, 3].map(start))
    const callers = new Callers(
      () => members,
      20,
      () => random.next(),
    )
    const running = Array.from({ length: 12 }, () => callers.run())
    context.after(() => callers.end())
    for (const fault of faults) {
      await callers.goOn(random.int(50, 200))
      const at = random.int(0, 2)
      const member = members[at]!
      if (fault === 'frozen') await member.freeze(frozenMs)
      else if (fault === 'stopped') {
        members.splice(at, 1)
        await member.stop()
        members.push(await start())
      } else {
        const thaws = fault !== 'killed' && members[(at + 1) % 3]!.freeze(frozenMs)
        await member.kill()
        members[at] = await start()
        await thaws
      }
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

/** The quick run has the first ones. */
const faults: readonly Fault[] = [
  'killed',
  'frozen',
  'stopped',
  'killed while another one is frozen',
  'stopped',
  'stopped',
]

/** @param place a fresh place for a test  @param count how many faults happen */
function declare(place: (context: TestContext) => Promise<Place>, count: number = faults.length): void {
  test('members that stop, are killed or stand still are replaced', async (t) =>
    underLoad(t, await place(t), faults.slice(0, sized(count, 3))))
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
  // Here each command takes much longer.
  declare(async () => ({ store: 'mongodb', url: server.url, database: `cluster-${Date.now()}-${process.pid}` }), 4),
)
