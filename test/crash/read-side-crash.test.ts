/**
 * All that follows the log under `kill -9`: projections with rows of several keys, one as code, one that parks, a
 * reaction with states and timers; while they run, while they open, while rows are rebuilt or brought to a new
 * revision, while what is parked is tried again.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { Random } from '../../src/testing/random.ts'
import { leaseMs, type WarehousePlace } from '../support/crash/warehouse.ts'
import { inspectWarehouse } from '../support/crash/warehouse-inspection.ts'
import type { FromRunner, ToRunner } from '../support/crash/warehouse-runner.ts'
import { withSeed } from '../support/seed.ts'
import { sized } from '../support/size.ts'

const rounds = Number(process.env['MNEME_CRASH_ROUNDS'] ?? sized(12, 3))
const runnerTimeoutMs = 300_000
const program = new URL('../support/crash/warehouse-runner.ts', import.meta.url)
const roundsOfOneMax = 10

/** When a runner is killed: so long after it says so for the n-th time. */
interface KillPlan {
  readonly when: FromRunner['say']
  readonly times: number
  readonly delayMs: number
}

/** A warehouse that lasts some rounds. */
interface Warehouse {
  readonly place: WarehousePlace
  readonly answered: Set<string>
  revision: number
  roundsLeft: number
}

/** What all rounds came to. */
interface Totals {
  looks: number
  events: number
  killedWhileBuilding: number
  parked: number
}

/** A runner's process, of which nothing is known until it is given to a round. */
class Runner {
  hear: (said: FromRunner) => void = () => {}
  readonly program: ChildProgram = new ChildProgram(program, (line) => this.hear(JSON.parse(line)), runnerTimeoutMs)
}

function planOf(random: Random, does: ToRunner['does']): KillPlan {
  if (random.chance(0.2)) return { when: 'opening', times: 1, delayMs: random.next() * 2 * leaseMs }
  if (does !== 'nothing else' && random.chance(0.7)) {
    return { when: 'acting', times: random.int(1, 5), delayMs: random.next() * 20 }
  }
  return { when: 'answered', times: random.int(10, 70), delayMs: 0 }
}

/** Lets a runner go on where the last one died, and kills it. Returns what it did. */
async function killOne(runner: Runner, warehouse: Warehouse, name: string, random: Random): Promise<ToRunner['does']> {
  const { place, answered } = warehouse
  if (random.chance(0.15)) warehouse.revision++
  const does = random.pick(['nothing else', 'rebuild', 'retry'] as const)
  const healed = does === 'retry' || random.chance(0.3)
  const plan = planOf(random, does)
  let times = 0
  runner.hear = (said) => {
    if (said.say === 'answered') answered.add(said.commandId)
    if (said.say !== plan.when || ++times !== plan.times) return
    if (plan.delayMs === 0) runner.program.kill()
    else setTimeout(() => runner.program.kill(), plan.delayMs)
  }
  const { revision } = warehouse
  const seed = random.int(0, 2 ** 31)
  runner.program.send({ place, name, seed, leaseMs, does, revision, healed } satisfies ToRunner)
  const { signal, complaints } = await runner.program.ended
  assert.equal(signal, 'SIGKILL', `${JSON.stringify(plan)}: ${complaints}`)
  return does
}

async function runRounds(context: TestContext, store: WarehousePlace['store'], random: Random): Promise<Totals> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-read-side-'))
  let next: Runner | undefined = new Runner()
  context.after(async () => {
    next?.program.kill()
    await next?.program.ended.catch(() => undefined)
    await rm(directory, { recursive: true, force: true })
  })
  const totals: Totals = { looks: 0, events: 0, killedWhileBuilding: 0, parked: 0 }
  let warehouse: Warehouse | undefined
  for (let round = 1; round <= rounds; round++) {
    if (warehouse === undefined || warehouse.roundsLeft === 0) {
      const place = { store, path: join(directory, `warehouse-${round}`) }
      warehouse = { place, answered: new Set(), revision: 1, roundsLeft: random.int(4, roundsOfOneMax) }
    }
    warehouse.roundsLeft--
    const runner: Runner = next!
    // Started early, so that the next round need not wait for it.
    next = round < rounds ? new Runner() : undefined
    const does = await killOne(runner, warehouse, `${round}`, random)
    const isLast = warehouse.roundsLeft === 0 || round === rounds
    if (isLast || random.chance(does === 'rebuild' ? 0.6 : 0.1)) await look(warehouse, round, totals)
    if (round % 25 === 0) context.diagnostic(`${round} of ${rounds} kills, ${JSON.stringify(totals)}`)
  }
  return totals
}

async function look(warehouse: Warehouse, round: number, totals: Totals): Promise<void> {
  try {
    const { events, wasBuilding, wasParked } = await inspectWarehouse(warehouse)
    totals.looks++
    totals.events = Math.max(totals.events, events)
    totals.parked += wasParked
    if (wasBuilding) totals.killedWhileBuilding++
  } catch (cause) {
    throw new Error(`round ${round}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

for (const store of ['file', 'sqlite'] as const) {
  test(`what follows the log on ${store} survives ${rounds} kills`, { timeout: 1_100_000 }, (context) =>
    withSeed(async (random) => {
      const { killedWhileBuilding, parked } = await runRounds(context, store, random)
      if (rounds < 100) return
      assert.ok(killedWhileBuilding > 0, 'some were killed while they built rows again')
      assert.ok(parked > 0, 'some left something parked')
    }),
  )
}
