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
import { silentMs } from '../../src/cluster/silence.ts'
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
/** How long calls to a server may take, in milliseconds: a busy machine needs more than the stores allow by default. */
const timeoutMs = 60_000

/** What callers of the other members waited at most, in milliseconds, by the fault. */
type Waits = Map<Fault, number[]>

/** Many kinds of faults in one run, because most of the time goes into starting processes. @returns the answers */
async function underLoad(context: TestContext, place: Place, faults: readonly Fault[], waits: Waits): Promise<number> {
  return await withSeed(async (random) => {
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
      callers.takeLongestWait(new Set())
      const struck = await strike(fault, random.int(0, 2), members, callers, start)
      await callers.goOn(50)
      waits.set(fault, [...(waits.get(fault) ?? []), callers.takeLongestWait(struck)])
    }
    await callers.goOn(100)
    callers.end()
    await Promise.all(running)
    await Promise.all(members.map((member) => member.stop()))
    await checkTold(storeAt(place), callers.told)
    return callers.told.size
  })
}

/** Lets a fault happen to a member. @returns the members whose own callers have to wait for it */
async function strike(
  fault: Fault,
  at: number,
  members: MemberProcess[],
  callers: Callers,
  start: () => Promise<MemberProcess>,
): Promise<ReadonlySet<MemberProcess>> {
  const member = members[at]!
  // A member that is cut off from the others goes on.
  const struck = new Set(fault === 'cut off from the others' ? [] : [member])
  // Later callers ask the other members.
  const freeze = async (frozen: MemberProcess) => {
    members.splice(members.indexOf(frozen), 1)
    await frozen.freeze(awayMs)
    members.push(frozen)
  }
  if (fault === 'frozen') await freeze(member)
  else if (fault === 'cut off from the others') await member.cut('others', silentMs + 500)
  else if (fault === 'cut off from the store') await callers.cutFromStore(member, awayMs)
  else if (fault === 'stopped') {
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
    const frozen = fault === 'killed' ? undefined : members[(at + 1) % 3]!
    if (frozen !== undefined) struck.add(frozen)
    const thaws = frozen && freeze(frozen)
    await member.kill()
    members.splice(members.indexOf(member), 1)
    members.push(await start())
    await thaws
  }
  return struck
}

/** The median and the worst of one in a hundred. */
function figuresOf(waits: Waits): string {
  const lines = [...waits].map(([fault, of]) => {
    const sorted = of.toSorted((a, b) => a - b)
    const [p50, p99] = [0.5, 0.99].map((part) => Math.round(sorted[Math.ceil(sorted.length * part) - 1]!))
    return `${fault}: p50 ${p50} ms, p99 ${p99} ms`
  })
  return lines.join('; ')
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
    const waits: Waits = new Map()
    let answers = 0
    for (let round = 1; round <= rounds; round++) {
      answers += await underLoad(t, await place(t), rounds > 1 ? kinds : kinds.slice(0, sized(count, 3)), waits)
      const words = `${round} rounds, ${answers} commands; the longest waits: ${figuresOf(waits)}`
      // Many rounds take long, and what a test says is shown at its end.
      if (rounds > 1) process.stdout.write(`${words}\n`)
      else t.diagnostic(words)
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
    declare(async (t) => serverPlace(t, server, store, { timeoutMs }), store === 'postgres' ? kinds.length : 4),
  )
}
