/**
 * Two processes on one SQLite file run the same warehouse. The one that leads is killed again and again, also while it
 * builds rows again or tries again what is parked: the other takes everything over within the lease's time, loses and
 * doubles nothing, and can build the rows again itself.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hasCode } from '../../src/index.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { Random } from '../../src/testing/random.ts'
import { startWarehouse, type Warehouse, type WarehousePlace } from '../support/crash/warehouse.ts'
import { eventually, inspectWarehouse } from '../support/crash/warehouse-inspection.ts'
import type { FromRunner, ToRunner } from '../support/crash/warehouse-runner.ts'
import { withSeed } from '../support/seed.ts'
import { sized } from '../support/size.ts'

const leaseMs = 500
/** Beyond the lease: the time of a slow machine. */
const patienceMs = 30_000
const rounds = sized(6, 2)
const timeoutMs = 300_000
/** Between what the leader says and its end: so that what it has just begun is under way. */
const killDelayMsMax = 20
const program = new URL('../support/crash/warehouse-runner.ts', import.meta.url)
const projections = ['stock', 'fragile', 'journal'] as const

/** A process that leads, and is to be killed. */
interface Leader {
  readonly program: ChildProgram
  /** When it has done enough to be followed. */
  readonly atWork: Promise<void>
  /** The next time that it begins what it was told to do, or has an answer. */
  readonly nextMoment: () => Promise<void>
}

function startLeader(context: TestContext, order: ToRunner, answered: Set<string>, enough: number): Leader {
  const atWork = Promise.withResolvers<void>()
  let moment = Promise.withResolvers<void>()
  const hear = (said: FromRunner) => {
    if (said.say === 'answered') answered.add(said.commandId)
    if (answered.size >= enough) atWork.resolve()
    if (said.say === (order.does === 'nothing else' ? 'answered' : 'acting')) moment.resolve()
  }
  const child = new ChildProgram(program, (line) => hear(JSON.parse(line)), timeoutMs)
  child.ended.then(() => atWork.reject(new Error('the leader ended too early')), atWork.reject)
  atWork.promise.catch(() => {})
  context.after(() => child.kill())
  child.send(order)
  const nextMoment = () => {
    moment = Promise.withResolvers<void>()
    return moment.promise
  }
  return { program: child, atWork: atWork.promise, nextMoment }
}

async function statesOf({ projections: own, reactions }: Warehouse): Promise<readonly string[]> {
  const statuses = [...projections.map((name) => own.status(name)), reactions.status('followUp')]
  return (await Promise.all(statuses)).map(({ state }) => state)
}

/** Some commands of this process. */
async function putSome(warehouse: Warehouse, name: string, answered: Set<string>): Promise<void> {
  for (let amount = 1; amount <= 10; amount++) {
    const commandId = `${name}-${amount}`
    await warehouse.shelf('shelf of the other').put({ amount }, { commandId })
    answered.add(commandId)
  }
}

/** Kills a leader; says how long it took until the other process had taken over, unless it led before. */
async function takeOver(
  context: TestContext,
  { place, answered }: { readonly place: WarehousePlace; readonly answered: Set<string> },
  name: string,
  random: Random,
): Promise<number | undefined> {
  const does = random.pick(['nothing else', 'rebuild', 'rebuild', 'retry'] as const)
  const version = { revision: 1, healed: does === 'retry' || random.chance(0.5) }
  const order: ToRunner = { place, name, seed: random.int(0, 2 ** 31), leaseMs, does, ...version }
  const leader = startLeader(context, order, answered, answered.size + random.int(5, 40))
  await leader.atWork
  const warehouse = await startWarehouse(place, { revision: 1, healed: true }, { leaseMs })
  try {
    await putSome(warehouse, `${name}-before`, answered)
    // A step that takes longer than the lease may lose it. If all have on a slow machine, another round is needed.
    if (!(await statesOf(warehouse)).includes('standby')) {
      await killWithin(leader.program, 0)
      return undefined
    }
    await leader.nextMoment()
    const killedAt = await killWithin(leader.program, random.next() * killDelayMsMax)
    const isRunning = (state: string): boolean => state === 'running'
    await eventually('not taken over', async () => (await statesOf(warehouse)).every(isRunning))
    const tookMs = performance.now() - killedAt
    await putSome(warehouse, `${name}-after`, answered)
    await eventually('not rebuilt', () => warehouse.projections.rebuild('stock').then(() => true, refused))
    return tookMs
  } finally {
    await warehouse.stop()
  }
}

/** Kills a process a moment later; gives the time of that. */
async function killWithin(child: ChildProgram, delayMs: number): Promise<number> {
  const killed = Promise.withResolvers<number>()
  setTimeout(() => {
    killed.resolve(performance.now())
    child.kill()
  }, delayMs)
  await child.ended
  return killed.promise
}

/** The lease of a rebuild runs out like any other. */
function refused(error: unknown): false {
  if (hasCode(error, 'REBUILD_RUNNING')) return false
  throw error
}

test(
  'another process takes over a read side whose runner is killed, also in the midst of a rebuild',
  {
    timeout: 4 * timeoutMs,
  },
  (context) =>
    withSeed(async (random) => {
      const directory = await mkdtemp(join(tmpdir(), 'mneme-rebuild-takeover-'))
      context.after(() => rm(directory, { recursive: true, force: true }))
      const place: WarehousePlace = { store: 'sqlite', path: join(directory, 'warehouse.db') }
      const answered = new Set<string>()
      const took: number[] = []
      for (let round = 1; took.length < rounds; round++) {
        const tookMs = await takeOver(context, { place, answered }, `${round}`, random)
        if (tookMs !== undefined) took.push(tookMs)
        await inspectWarehouse({ place, revision: 1, answered })
      }
      context.diagnostic(
        `taken over after ${took.map((ms) => Math.round(ms)).join(', ')} ms, with a lease of ${leaseMs}`,
      )
      for (const tookMs of took) assert.ok(tookMs < leaseMs + patienceMs, `it took ${Math.round(tookMs)} ms`)
    }),
)
