/**
 * A whole domain on the file store on a simulated disk: the power fails in the middle of commands, snapshots, steps of
 * a projection and commands of a reaction. Writes are torn, lost and reordered. What was acknowledged is there after
 * each failure, and in the end no money is lost. A seed decides the commands, the disk, and when the power fails. The
 * calls to the disk are not exactly the same each time, so a seed that fails may have to be tried several times.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransferBank } from '../../examples/transfer/bank.ts'
import { openStore } from '../../src/store/file/opening/open-store.ts'
import { everything } from '../../src/store/range.ts'
import type { Store, StoredEvent } from '../../src/store/store.ts'
import { Random } from '../../src/testing/random.ts'
import { SimulatedDisk } from '../support/disk/simulated-disk.ts'
import { recorder } from '../support/kernel/rig.ts'
import { sized } from '../support/size.ts'

const first = Number(process.env['MNEME_SEED'] ?? 1)
const seeds = sized(30, 8)
const owners = ['ada', 'bob', 'cy']
const unlimited = { limit: Number.POSITIVE_INFINITY }

interface World {
  readonly random: Random
  readonly disk: SimulatedDisk
  /** The time. It stands still while the program lives, and between its lives all leases end. */
  nowMs: number
  /** What became of each command, as far as its caller knows. */
  readonly told: Map<string, 'stored' | 'not stored' | 'unknown'>
}

type Bank = Awaited<ReturnType<typeof start>>['bank']

async function start(world: World) {
  const { disk, random } = world
  world.nowMs += 60_000
  const now = () => world.nowMs
  let store: Store | undefined
  const settings = { directory: '/simulated/bank', segmentBytesMax: 2000, compactBytesMin: 700 }
  const factory = {
    name: 'file',
    open: async () => {
      const options = { warn: () => {}, now }
      store = await openStore({ ...settings, disk: disk.mount(), mayLoseOnPowerFailure: false }, options)
      return store
    },
  }
  const bank = await TransferBank.start({
    store: factory,
    projections: 'manual',
    snapshotEvery: random.pick([1, 3]),
    log: recorder(),
    environment: { now },
  })
  return { bank, store: store! }
}

async function send(bank: Bank, { random, told }: World): Promise<void> {
  const commandId = `command ${told.size + 1}`
  told.set(commandId, 'unknown')
  const amount = random.int(1, 100)
  const id = random.pick(owners)
  const isTransfer = random.chance(0.4)
  const outcome = await bank.try.dispatch(
    isTransfer
      ? {
          aggregate: 'transfer',
          id: commandId,
          name: 'request',
          data: { from: id, to: random.pick(owners), amount },
          commandId,
        }
      : {
          aggregate: 'account',
          id,
          name: random.pick(['open', 'deposit', 'withdraw']) as 'deposit',
          data: { amount, owner: id } as never,
          commandId,
        },
  )
  told.set(commandId, outcome.accepted && outcome.events.length > 0 ? 'stored' : 'not stored')
}

/** Commands come together, while what they set off is handled. */
async function work(bank: Bank, world: World): Promise<void> {
  const { random } = world
  for (let left = random.int(1, 8); left > 0; left--) {
    const clients = Array.from({ length: random.int(1, 5) }, () => send(bank, world))
    const handled = [
      random.chance(0.5) && bank.projections.runOnce('balances'),
      random.chance(0.5) && bank.reactions.runOnce('moveMoney'),
    ]
    await Promise.all([...clients, ...handled])
  }
}

/** One life of the program. The power fails at a call that the seed chooses, or when the work is done. */
async function live(world: World): Promise<void> {
  const { disk, random } = world
  const dark = disk.setFaults({ powerFailsAt: random.int(1, random.pick([60, 400])) })
  let isDark = false
  const life = async () => {
    const { bank } = await start(world)
    await work(bank, world)
    if (random.chance(0.3)) await bank.stop()
  }
  await Promise.race([life(), dark.then(() => (isDark = true))])
  if (!isDark) disk.failPower()
}

/** Starts the program without faults. It must have everything that was acknowledged, once, and nothing else. */
async function look(world: World): Promise<void> {
  const { disk, told } = world
  disk.setFaults({})
  const { bank, store } = await start(world)
  const { events } = await store.readAll(everything, unlimited)
  const commits = new Set(events.map(({ commitId }) => commitId))
  for (const [commandId, fate] of told) {
    if (fate !== 'unknown') assert.equal(commits.has(commandId), fate === 'stored', `${commandId} was ${fate}`)
    else told.set(commandId, commits.has(commandId) ? 'stored' : 'not stored')
  }
  await checkStates(bank, events)
  await bank.stop()
  disk.kill()
}

const balancesOf = (events: readonly StoredEvent[]): Readonly<Record<string, number>> => {
  const balances: Record<string, number> = {}
  for (const { type, stream, data } of events) {
    if (stream.aggregate !== 'account') continue
    const { amount = 0 } = data as { readonly amount?: number }
    balances[stream.id] = (balances[stream.id] ?? 0) + (type === 'MoneyWithdrawn' ? -amount : amount)
  }
  return balances
}

async function checkStates(bank: Bank, events: readonly StoredEvent[]): Promise<void> {
  for (const [id, balance] of Object.entries(balancesOf(events))) {
    assert.equal((await bank.account(id).state()).balance, balance, `the state of ${id}`)
  }
}

/** Everything is handled in the end: rows are what the events make, and transfers neither made nor lost money. */
async function finish(world: World): Promise<void> {
  world.disk.setFaults({})
  const { bank, store } = await start(world)
  for (let head = -1; head !== (await store.head()); ) {
    head = await store.head()
    await bank.reactions.runOnce('moveMoney')
  }
  await bank.projections.runOnce('balances')
  const { events } = await store.readAll(everything, unlimited)
  const balances = balancesOf(events)
  const own = balancesOf(events.filter(({ metadata }) => metadata['causationId'] === undefined))
  const total = (of: Readonly<Record<string, number>>) => Object.values(of).reduce((sum, each) => sum + each, 0)
  assert.equal(total(balances), total(own), 'money came or went by transfers')
  const { rows } = await bank.balances.find()
  assert.deepEqual(Object.fromEntries(rows.map(({ key, row }) => [key, row.balance])), balances)
  for (const { stream } of events.filter(({ type }) => type === 'TransferRequested')) {
    assert.match((await bank.transfer(stream.id).state()).phase, /completed|failed/)
  }
  await bank.stop()
}

async function run(seed: number): Promise<readonly string[]> {
  const random = new Random(seed)
  const world: World = { random, disk: new SimulatedDisk(random.fork()), nowMs: Date.UTC(2026, 0), told: new Map() }
  try {
    for (let left = random.int(2, 5); left > 0; left--) {
      await live(world)
      if (random.chance(0.7)) await look(world)
    }
    await look(world)
    await finish(world)
  } catch (cause) {
    throw new Error(`MNEME_SEED=${seed} failed after:\n${world.disk.trace.slice(-15).join('\n')}`, { cause })
  }
  return world.disk.trace
}

test(`A bank keeps its promises on ${seeds} simulated disks`, async () => {
  for (let seed = first; seed < first + seeds; seed++) await run(seed)
})
