/**
 * A cluster: how long callers wait when a member is killed or frozen (W15), what it costs that another process decides
 * a command (W16), and what several members do beside one process (W17). A member is in this process, as its callers
 * are; the others have processes of their own.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { shardOf } from '../../src/cluster/placement.ts'
import { ids, type kinds, type MeasuredBank, someId, startMeasured } from '../cluster/domain.ts'
import { agreed, MemberProcess } from '../cluster/members.ts'
import { type Figure, median, spreadOf } from '../figure.ts'
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
  await calls
  if (how === 'frozen') await victim.kill()
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

export async function measureMembers(setting: Setting): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const kind of ['cpu', 'io'] as const) {
    const rates = new Map<number, number[]>()
    // Without a cluster, then with one to three members; in rounds, so that all see the same machine.
    for (let round = 0; round < setting.rounds; round++) {
      for (let members = 0; members <= membersMax; members++) {
        rates.set(members, [...(rates.get(members) ?? []), await rateOf(setting, kind, members)])
      }
    }
    const floors = rates.get(0)!
    for (let members = 1; members <= membersMax; members++) {
      const own = rates.get(members)!
      figures.push({
        id: `W17-${kind}-${members}`,
        what: `${kind === 'cpu' ? 'commands that take 0.3 ms to decide' : 'deposits'}, ${members} ${members === 1 ? 'member' : 'members'} with ${callersOfEach[kind]} callers each; the floor is one process without a cluster`,
        store: setting.store,
        unit: 'commands/s',
        value: median(own),
        floor: {
          value: median(floors),
          what: 'one process without a cluster',
          ratio: median(own.map((rate, i) => rate / floors[i]!)),
        },
        memoryPeakBytes: process.memoryUsage.rss(),
      })
    }
  }
  return figures
}

/** Commands a second of so many members together; of none: of one process without a cluster. */
async function rateOf(setting: Setting, kind: keyof typeof kinds, members: number): Promise<number> {
  const place = `cluster-${process.pid}-${kind}`
  const location = makePlace(setting, place)
  const opening = await startMeasured(location.factory, false)
  await Promise.all(ids.map((id) => opening.account(id).try.open({ owner: id })))
  await opening.stop()
  const processes: MemberProcess[] = []
  for (let i = 0; i < Math.max(1, members); i++) {
    processes.push(await MemberProcess.start(setting, place, members > 0))
  }
  const order = { kind, callers: callersOfEach[kind] }
  const drives = (roundMs: number) => Promise.all(processes.map((one) => one.drive({ ...order, roundMs })))
  await drives(setting.roundMs)
  const rates = await drives(setting.roundMs * 2)
  await Promise.all(processes.map((one) => one.kill()))
  await location.remove()
  return rates.reduce((sum, rate) => sum + rate, 0)
}
