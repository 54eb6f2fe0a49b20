/**
 * Three members in processes of their own under load, while one of them is killed, stands still or is cut off, or all
 * of them are replaced. Meanwhile a reaction moves money between vaults. Callers of the others get no error, the
 * history of every vault is linearizable, each transfer has one end, and the total of money is what callers made it.
 *
 * `MNEME_CLUSTER_ROUNDS` asks for so many rounds, each with every kind of fault, on a store of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { silentMs } from '../../src/cluster/silence.ts'
import { Callers, EndlessTransfer } from '../support/cluster/callers.ts'
import { MemberProcess } from '../support/cluster/members.ts'
import { checkTold, eventsOfTransfer } from '../support/cluster/told-check.ts'
import { storeAt } from '../support/crash/place.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place, ServerPlace } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { inFull, onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

type Fault =
  | 'all replaced in turn'
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

/** What callers have asked for. */
interface Counts {
  commands: number
  transfers: number
  /** Those of the transfers that were refused. */
  refused: number
}

/** Many kinds of faults in one run, because most of the time goes into starting processes. */
async function underLoad(
  context: TestContext,
  place: Place,
  faults: readonly Fault[],
  waits: Waits,
  counts: Counts,
): Promise<void> {
  await withSeed(async (random) => {
    /** Those that stop or were killed too. */
    const started: MemberProcess[] = []
    const start = () => {
      const member = new MemberProcess(context)
      started.push(member)
      return member.start(place)
    }
    const members = await Promise.all([1, 2, 3].map(start))
    const callers = new Callers(() => members, { vaults: 20, random: () => random.next() })
    const running = callers.run(8, 4).catch(async (error: unknown) => {
      throw error instanceof EndlessTransfer ? new Error(await storyOf(error, place, started), { cause: error }) : error
    })
    context.after(() => callers.end())
    // If they fail, nothing goes on.
    running.catch(() => {})
    const goOn = (answers: number) => Promise.race([callers.goOn(answers), running])
    for (const fault of faults) {
      await goOn(random.int(30, 120))
      callers.takeLongestWait(new Set())
      const struck = await strike(fault, random.int(0, 2), members, callers, start)
      await goOn(50)
      waits.set(fault, [...(waits.get(fault) ?? []), callers.takeLongestWait(struck)])
    }
    await goOn(50)
    callers.end()
    await running
    await Promise.all(members.map((member) => member.stop()))
    await checkTold(storeAt(place), callers)
    const ends = [...callers.transfers.values()].map(({ over }) => over)
    counts.commands += callers.told.size
    counts.transfers += ends.length
    counts.refused += ends.filter((over) => over !== undefined && 'end' in over && over.end === 'refused').length
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
  // A member that is cut off from the others goes on, and one that is replaced in its time has answered all.
  const goesOn = fault === 'cut off from the others' || fault === 'all replaced in turn'
  const struck = new Set(goesOn ? [] : [member])
  // Later callers ask the other members.
  const freeze = async (frozen: MemberProcess) => {
    members.splice(members.indexOf(frozen), 1)
    await frozen.freeze(awayMs)
    members.push(frozen)
  }
  if (fault === 'frozen') await freeze(member)
  else if (fault === 'cut off from the others') await member.cut('others', silentMs + 500)
  else if (fault === 'cut off from the store') await callers.cutFromStore(member, awayMs)
  else if (fault === 'all replaced in turn') {
    for (const old of [...members]) {
      members.push(await start())
      members.splice(members.indexOf(old), 1)
      await old.stop()
    }
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

/** What is stored of a transfer that does not end, and what the members are doing. */
async function storyOf(
  { id, message }: EndlessTransfer,
  place: Place,
  members: readonly MemberProcess[],
): Promise<string> {
  const [events, ...doing] = await Promise.all([
    eventsOfTransfer(storeAt(place), id),
    ...members.filter(({ isGone }) => !isGone).map((member) => member.describe().catch(String)),
  ])
  const stored = events.map(
    ({ position, type, stream, recordedAt }) =>
      `${position} ${recordedAt.toISOString()} ${stream.aggregate} ${stream.id}: ${type}`,
  )
  return [`${message}, at ${new Date().toISOString()}`, ...stored, ...doing].join('\n')
}

/** The median, the worst of one in a hundred, and the last. */
function figuresOf(waits: Waits): string {
  const lines = [...waits].map(([fault, of]) => {
    const sorted = of.toSorted((a, b) => a - b)
    const [p50, p99] = [0.5, 0.99].map((part) => Math.round(sorted[Math.ceil(sorted.length * part) - 1]!))
    return `${fault}: p50 ${p50} ms, p99 ${p99} ms (last ${Math.round(of.at(-1)!)} ms)`
  })
  return lines.join('; ')
}

/** The quick run has the first ones, on SQLite. */
const kinds: readonly Fault[] = [
  'killed',
  'all replaced in turn',
  'killed while another one stops',
  'killed while another one is frozen',
  'cut off from the store',
  'cut off from the others',
  'frozen',
]
/** Of a single round. On servers, starting and each command take longer, so each has a part of them. */
const kindsOnServers: Record<ServerPlace['store'], readonly Fault[]> = {
  postgres: ['killed', 'all replaced in turn', 'cut off from the store', 'frozen'],
  mongodb: ['killed', 'killed while another one is frozen', 'cut off from the others'],
  nats: ['killed', 'killed while another one stops', 'cut off from the store'],
}
const rounds = Number(process.env['MNEME_CLUSTER_ROUNDS'] ?? 1)
/** Of many rounds, some have two faults at the same time too. */
const kindsOf = (round: number): readonly Fault[] =>
  round % 5 === 1 ? kinds : kinds.filter((kind) => !kind.includes(' while '))

/** @param place a fresh place for a test  @param single the faults of a single round */
function declare(place: (context: TestContext) => Promise<Place>, single: readonly Fault[] = kinds): void {
  test('transfers go on while members are killed, replaced, cut off or stand still', async (t) => {
    const waits: Waits = new Map()
    const counts: Counts = { commands: 0, transfers: 0, refused: 0 }
    for (let round = 1; round <= rounds; round++) {
      const faults = rounds > 1 ? kindsOf(round) : single.slice(0, sized(single.length, 3))
      await underLoad(t, await place(t), faults, waits, counts)
      const { commands, transfers, refused } = counts
      const asked = `${commands} commands and ${transfers} transfers, of which ${refused} were refused`
      const words = `${round} rounds, ${asked}; the longest waits: ${figuresOf(waits)}`
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
    declare(async (t) => serverPlace(t, server, store, { timeoutMs }), kindsOnServers[store]),
  )
}
