/**
 * A cluster: how long callers wait when a member is killed or frozen (W15), what it costs that another process decides
 * a command (W16), and what several members do beside one process (W17). A member is in this process, as its callers
 * are; the others have processes of their own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { shardOf } from '../../src/cluster/placement.ts'
import { ids, type kinds, type MeasuredBank, someId, startMeasured } from '../cluster/domain.ts'
import type { Drive, DriveOrder } from '../cluster/member.ts'
import { agreed, MemberProcess } from '../cluster/members.ts'
import { type Figure, median, spreadOf } from '../figure.ts'
import type { Location } from '../location.ts'
import { drive } from '../rounds.ts'
import { makePlace, type Setting } from '../setting.ts'

const membersMax = 3

interface Shared {
  readonly bank: MeasuredBank
  readonly place: string
}

/** Starts a member here, opens the accounts, and measures. */
async function withMember<Result>(setting: Setting, measure: (shared: Shared) => Promise<Result>): Promise<Result> {
  const place = `cluster-${process.pid}`
  const location = makePlace(setting, place)
  const bank = await startMeasured(location.factory, true)
  await Promise.all(ids.map((id) => bank.account(id).open({ owner: id })))
  try {
    return await measure({ bank, place })
  } finally {
    await bank.stop()
    await location.remove()
  }
}

/** The accounts of each member, by its id. */
function accountsOf({ cluster }: MeasuredBank): Map<string, string[]> {
  const { owners } = cluster.status()
  const accounts = new Map<string, string[]>()
  for (const id of ids) {
    const owner = owners['account']![shardOf({ aggregate: 'account', id })]!
    accounts.set(owner, [...(accounts.get(owner) ?? []), id])
  }
  return accounts
}

const newestOf = ({ cluster }: MeasuredBank) =>
  cluster.status().members.toSorted((a, b) => b.joinedAt.getTime() - a.joinedAt.getTime())[0]!.id

// -- takeover ----------------------------------------------------------------------------------------------------

const takeoverCallers = 50
/** How long callers go on after the end of a member. */
const afterMs = { killed: 1000, frozen: 5000 }

export async function measureTakeover(setting: Setting): Promise<readonly Figure[]> {
  return withMember(setting, async ({ bank, place }) => {
    const rest = await MemberProcess.start(setting, place)
    await agreed(bank, membersMax - 1)
    const figures: Figure[] = []
    for (const how of ['killed', 'frozen'] as const) {
      const waits: number[] = []
      for (let round = 0; round < Math.max(1, setting.rounds * 2); round++) {
        waits.push(...(await takeover(setting, bank, place, how)))
      }
      const spread = spreadOf(waits)!
      figures.push({
        id: how === 'killed' ? 'W15' : 'W15-frozen',
        what: `the longest wait for each account of a member that is ${how}, under deposits of ${takeoverCallers} callers of another one (p99)`,
        store: setting.store,
        unit: 'ms',
        value: spread.p99,
        latencyMs: spread,
        memoryPeakBytes: process.memoryUsage.rss(),
      })
    }
    await rest.kill()
    return figures
  })
}

/**
 * Ends a member under load. An error of a caller ends everything.
 *
 * @returns the longest wait for each of its accounts
 */
async function takeover(
  setting: Setting,
  bank: MeasuredBank,
  place: string,
  how: 'killed' | 'frozen',
): Promise<readonly number[]> {
  const victim = await MemberProcess.start(setting, place)
  await agreed(bank, membersMax)
  const accounts = new Set(accountsOf(bank).get(newestOf(bank)) ?? [])
  const longest = new Map<string, number>()
  let endedAt = Number.POSITIVE_INFINITY
  let isOver = false
  const call = async () => {
    while (!isOver) {
      const id = someId()
      const begunAt = performance.now()
      await bank.account(id).deposit({ amount: 1 })
      const now = performance.now()
      if (now < endedAt || !accounts.has(id)) continue
      longest.set(id, Math.max(longest.get(id) ?? 0, now - Math.max(begunAt, endedAt)))
    }
  }
  const calls = Promise.all(Array.from({ length: takeoverCallers }, call))
  await sleep(200)
  endedAt = performance.now()
  if (how === 'killed') await victim.kill()
  else victim.freeze()
  await Promise.race([sleep(afterMs[how]), calls])
  isOver = true
  // Before the calls are awaited: a process that is frozen in the middle of a write keeps SQLite's lock.
  if (how === 'frozen') await victim.kill()
  await calls
  await agreed(bank, membersMax - 1)
  return [...longest.values()]
}

// -- forwarding --------------------------------------------------------------------------------------------------

const crowd = 1000

export async function measureForwarding(setting: Setting): Promise<readonly Figure[]> {
  return withMember(setting, async ({ bank, place }) => {
    const other = await MemberProcess.start(setting, place)
    await agreed(bank, 2)
    const accounts = accountsOf(bank)
    const { self } = bank.cluster.status()
    const local = accounts.get(self)!
    const remote = [...accounts].find(([id]) => id !== self)![1]
    const measure = async (callers: number, of: readonly string[]) => {
      const operation = () => bank.account(of[Math.floor(Math.random() * of.length)]!).deposit({ amount: 1 })
      return drive({ callers, operation, close: async () => {} }, setting.roundMs)
    }
    const [more, rates, floors, ratios]: [number[], number[], number[], number[]] = [[], [], [], []]
    for (let round = 0; round <= setting.rounds; round++) {
      const p50 = async (of: readonly string[]) => spreadOf((await measure(1, of)).latenciesMs)!.p50
      const rate = async (of: readonly string[]) => {
        const { operations, seconds } = await measure(crowd, of)
        return operations / seconds
      }
      const [here, there] = [await p50(local), await p50(remote)]
      const [floor, forwarded] = [await rate(local), await rate(remote)]
      if (round === 0 && setting.rounds > 1) continue
      more.push(there - here)
      rates.push(forwarded)
      floors.push(floor)
      ratios.push(forwarded / floor)
    }
    await other.kill()
    const shared = { store: setting.store, memoryPeakBytes: process.memoryUsage.rss() }
    const what = 'a deposit that another member decides, beyond one that is decided here: time (p50), one caller'
    return [
      { ...shared, id: 'W16', what, unit: 'ms', value: median(more) },
      {
        ...shared,
        id: 'W16-crowd',
        what: `deposits that another member decides, ${crowd} callers; the floor is decided here`,
        unit: 'commands/s',
        value: median(rates),
        floor: { value: median(floors), what: 'the same, decided here', ratio: median(ratios) },
      },
    ]
  })
}

// -- one, two and three members ----------------------------------------------------------------------------------

const callersOfEach = { cpu: 20, io: 300 }

/** How often two set-ups take turns in each round. Turns are short, so that both see the same machine. */
const turnsEach = 4

export async function measureMembers(setting: Setting): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const kind of ['cpu', 'io'] as const) {
    for (let members = 1; members <= membersMax; members++) {
      const { own, single, ratio, cpuSecondsPer100k } = await compared(setting, kind, members)
      figures.push({
        id: `W17-${kind}-${members}`,
        what: `${kind === 'cpu' ? 'commands that take 0.3 ms to decide' : 'deposits'}, ${members} ${members === 1 ? 'member' : 'members'} with ${callersOfEach[kind]} callers each; the floor is one process without a cluster`,
        store: setting.store,
        unit: 'commands/s',
        value: own,
        floor: { value: single, what: 'one process without a cluster', ratio },
        cpuSecondsPer100k,
        memoryPeakBytes: process.memoryUsage.rss(),
      })
    }
  }
  return figures
}

/** So many members, and one process without a cluster on a place of its own, take turns. Medians over the turns. */
async function compared(setting: Setting, kind: keyof typeof kinds, members: number) {
  const order = { kind, callers: callersOfEach[kind] }
  const single = await Group.start(setting, `cluster-${process.pid}-${kind}-single`, 0)
  const group = await Group.start(setting, `cluster-${process.pid}-${kind}-${members}`, members)
  for (const each of [single, group]) await each.drive({ ...order, roundMs: setting.roundMs * 2 })
  const turns: { readonly own: Drive; readonly single: Drive }[] = []
  const turn = { ...order, roundMs: setting.roundMs / 2 }
  for (let i = 0; i < setting.rounds * turnsEach; i++) {
    // Each begins as often as the other.
    const before = i % 2 === 0 ? await single.drive(turn) : undefined
    const own = await group.drive(turn)
    turns.push({ own, single: before ?? (await single.drive(turn)) })
  }
  await single.end()
  await group.end()
  return {
    own: median(turns.map(({ own }) => own.rate)),
    single: median(turns.map(({ single: { rate } }) => rate)),
    ratio: median(turns.map(({ own, single: { rate } }) => own.rate / rate)),
    cpuSecondsPer100k: median(turns.map(({ own: { cpuSeconds, operations } }) => (cpuSeconds / operations) * 100_000)),
  }
}

/** Processes that share a place. */
class Group {
  readonly #location: Location
  readonly #processes: readonly MemberProcess[]

  private constructor(location: Location, processes: readonly MemberProcess[]) {
    this.#location = location
    this.#processes = processes
  }

  /** @param members how many; 0 is one process without a cluster */
  static async start(setting: Setting, place: string, members: number): Promise<Group> {
    const location = makePlace(setting, place)
    const opening = await startMeasured(location.factory, false)
    await Promise.all(ids.map((id) => opening.account(id).try.open({ owner: id })))
    await opening.stop()
    const processes: MemberProcess[] = []
    for (let i = 0; i < Math.max(1, members); i++) {
      processes.push(await MemberProcess.start(setting, place, members > 0))
    }
    return new Group(location, processes)
  }

  /** What all do together. */
  async drive(order: DriveOrder): Promise<Drive> {
    const drives = await Promise.all(this.#processes.map((each) => each.drive(order)))
    const sum = (of: (drive: Drive) => number) => drives.reduce((total, drive) => total + of(drive), 0)
    return { rate: sum(({ rate }) => rate), operations: sum((d) => d.operations), cpuSeconds: sum((d) => d.cpuSeconds) }
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.kill()))
    await this.#location.remove()
  }
}
