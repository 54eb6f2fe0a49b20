/**
 * Three members in processes of their own under load, while one of them is killed, stands still, stops or is cut off.
 * Callers of the others get no error, and the history of every vault is linearizable.
 *
 * `MNEME_CLUSTER_ROUNDS` asks for so many rounds, each with every kind of fault, on a store of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { silentMs } from '../../src/cluster/peer.ts'
import { Callers, checkTold, MemberProcess } from '../support/cluster/members.ts'
import { storeAt } from '../support/crash/place.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { inFull, onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

type Fault =
  | 'stopped'
  | 'killed'
  | 'frozen'
  | 'killed while another one is frozen'
  | 'killed while another one stops'
  | 'cut off from the others'
  | 'cut off from the store'

/** Longer than a lease. */
const awayMs = 3500

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
      if (fault === 'frozen') await member.freeze(awayMs)
      else if (fault === 'cut off from the others') await member.cut('others', silentMs + 500)
      else if (fault === 'cut off from the store') {
        callers.mayRepeat = true
        await member.cut('store', awayMs)
        // By then, each of the callers has probably got an answer since.
        await callers.goOn(100)
        callers.mayRepeat = false
      } else if (fault === 'stopped') {
        members.splice(at, 1)
        await member.stop()
        members.push(await start())
      } else if (fault === 'killed while another one stops') {
        const [leaving, ...others] = members.toSpliced(at, 1)
        // Whoever is given a command now must be able to answer it.
        members.splice(0, members.length, ...others)
        const stops = leaving!.stop()
        await member.kill()
        await stops
        members.push(...(await Promise.all([start(), start()])))
      } else {
        const thaws = fault !== 'killed' && members[(at + 1) % 3]!.freeze(awayMs)
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
const kinds: readonly Fault[] = [
  'killed',
  'stopped',
  'killed while another one stops',
  'killed while another one is frozen',
  'cut off from the store',
  'cut off from the others',
  'frozen',
]
const rounds = Number(process.env['MNEME_CLUSTER_ROUNDS'] ?? 1)

/** @param place a fresh place for a test  @param count how many faults happen */
function declare(place: (context: TestContext) => Promise<Place>, count: number = kinds.length): void {
  test('members that stop, are killed, cut off or stand still are replaced', async (t) => {
    for (let round = 0; round < rounds; round++) {
      await underLoad(t, await place(t), rounds > 1 ? kinds : kinds.slice(0, sized(count, 3)))
    }
  })
}

describe('In a cluster on SQLite', () =>
  declare(async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-cluster-'))
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
    return { store: 'sqlite', path: join(directory, 'log.db') }
  }))

for (const { store, name, find } of serverKinds) {
  await onServer(`In a cluster on ${name}`, inFull(find), (server) =>
    // On the others, starting and each command take longer.
    declare(async (t) => serverPlace(t, server, store), store === 'postgres' ? kinds.length : 4),
  )
}
