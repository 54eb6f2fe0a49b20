/**
 * The file store on a simulated disk: power failures at any call, kills, failing calls, and sectors that land at a
 * wrong place. One seed decides everything, and the same seed makes the same calls.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { MnemeError } from '../../src/domain/error.ts'
import { platformLoop } from '../../src/runtime/timers.ts'
import { commit } from '../../src/store/commit.ts'
import { openStore } from '../../src/store/file/opening/open-store.ts'
import { everything } from '../../src/store/range.ts'
import type { Store, StoredEvent } from '../../src/store/store.ts'
import { Random } from '../../src/testing/random.ts'
import { SimulatedDisk } from '../../src/testing/simulation/disk/simulated-disk.ts'
import { SimulatedMachine } from '../../src/testing/simulation/disk/simulated-machine.ts'
import { sized } from '../support/size.ts'

/** From another seed with `MNEME_SEED`, and more with `MNEME_DAMAGES=20000`. */
const first = Number(process.env['MNEME_SEED'] ?? 1)
const seeds = Number(process.env['MNEME_DAMAGES'] ?? sized(150, 40))
/** A journal was cut and not synced: the power failed again, and old bytes were mixed with new ones. */
const foundBefore = [910, 955]
const directory = '/simulated/store'
const streams = ['a', 'b', 'c']
const unlimited = { limit: Number.POSITIVE_INFINITY }

/** What a commit became, as far as its caller knows. */
type Fate = 'stored' | 'not stored' | 'unknown'

/** What was said in one world, over all lives of the program. */
interface World {
  readonly random: Random
  readonly disk: SimulatedDisk
  readonly machine: SimulatedMachine
  readonly mayLose: boolean
  readonly segmentBytesMax: number
  readonly fates: Map<string, Fate>
  /** The log as it was seen last, oldest first: the ids of its commits. */
  seen: string[]
  /** The position of the projection that was acknowledged as durable. */
  step: number
  steps: number
  commits: number
  /** How often the store was opened. */
  openings: number
}

const certainNo = new Set(['NOT_STORED', 'STORE_FULL', 'STORE_READ_ONLY', 'STORE_HALTED'])

const open = (world: World): Promise<Store> => {
  const { disk, segmentBytesMax, mayLose: mayLoseOnPowerFailure } = world
  const opening = ++world.openings
  // The program that opens the store is the only one that runs.
  const isRunning = () => world.openings === opening
  const machine = world.machine.start({ loop: platformLoop, random: new Random(opening), isRunning })
  const parts = { disk: disk.mount(), machine, directory }
  return openStore(
    { ...parts, segmentBytesMax, compactBytesMin: 700, mayLoseOnPowerFailure },
    { warn: () => undefined, now: () => 0 },
  )
}

/** The result, or the error if it has a code. */
async function attempt<Result>(call: () => Promise<Result>): Promise<Result | MnemeError> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof MnemeError) return error
    throw error
  }
}

async function append(store: Store, world: World): Promise<void> {
  const { random, fates } = world
  const made = Array.from({ length: random.int(1, 3) }, () => {
    const id = `commit ${++world.commits}`
    const size = random.chance(0.2) ? random.below(3_000) : random.below(100)
    const events = Array.from({ length: random.int(1, 2) }, (_, n) => ({
      type: 'Done',
      data: { id, n, text: 'x'.repeat(size) },
    }))
    const stream = { aggregate: 'thing', id: random.pick(streams) }
    return commit({ stream, expected: 'any', id, recordedAt: 0, events })
  })
  for (const { id } of made) fates.set(id, 'unknown')
  const calls = random.chance(0.5) ? [made] : made.map((each) => [each])
  await Promise.all(
    calls.map(async (commits) => {
      const results = await attempt(() => store.append(commits))
      const fate = results instanceof MnemeError ? (certainNo.has(results.code) ? 'not stored' : 'unknown') : 'stored'
      for (const { id } of commits) fates.set(id, fate)
    }),
  )
}

async function step(store: Store, world: World): Promise<void> {
  const at = await attempt(() => store.loadCheckpoint('p'))
  if (at instanceof MnemeError) return
  const mayBeLost = world.random.chance(0.3)
  const position = ++world.steps
  const to = { position, term: 0, note: { position } }
  const rows = [
    { key: 'last', value: position },
    { key: `row ${position}`, value: position },
  ]
  const done = await attempt(() => store.saveStep('p', { from: at, to, rows, mayBeLost }))
  if (!(done instanceof MnemeError) && !mayBeLost) world.step = position
}

async function work(store: Store, world: World): Promise<void> {
  const { random } = world
  for (let left = random.int(1, 12); left > 0; left--) {
    const kind = random.next()
    if (kind < 0.6) await append(store, world)
    else if (kind < 0.8) await step(store, world)
    else if (kind < 0.9) await attempt(() => store.acquireLease('l', random.pick(['me', 'you']), 100))
    else {
      const stream = { aggregate: 'thing', id: 'a' }
      const sequence = world.commits
      const state = { stateRevision: 1, checksum: 5, fingerprint: 'f', takenAt: 0, state: { sequence } }
      await attempt(() => store.saveSnapshot({ stream, sequence, ...state }, { keep: 2 }))
    }
  }
}

/** One life of the program, to an end that the seed decides. */
async function live(world: World): Promise<void> {
  const { disk, random } = world
  const fail = random.chance(0.5) ? random.pick([0.01, 0.05, 0.2]) : 0
  const powerFailsAt = random.chance(0.6) ? random.int(1, random.pick([40, 400])) : Number.POSITIVE_INFINITY
  const dark = disk.setFaults({ fail, powerFailsAt })
  let isDark = false
  const life = async () => {
    const store = await attempt(() => open(world))
    if (store instanceof MnemeError) return
    await work(store, world)
    if (random.chance(0.4)) await attempt(() => store.close())
  }
  await Promise.race([life(), dark.then(() => (isDark = true))])
  if (isDark) return
  if (random.chance(0.5)) disk.failPower()
  else disk.kill()
}

async function logOf(store: Store): Promise<readonly StoredEvent[]> {
  return (await store.readAll(everything, unlimited)).events
}

function idsOf(events: readonly StoredEvent[]): string[] {
  return [...new Set(events.map(({ commitId }) => commitId))]
}

/** Opens the store without faults. It must have everything that was acknowledged, and nothing that was refused. */
async function look(world: World): Promise<void> {
  const { disk, fates, mayLose } = world
  disk.setFaults({})
  const store = await open(world)
  const events = await logOf(store)
  const ids = idsOf(events)
  assert.deepEqual(
    ids.filter((id) => fates.get(id) === 'not stored'),
    [],
    'what was refused is stored',
  )
  if (mayLose) assert.ok(isPrefix(ids, world.seen) || isPrefix(world.seen, ids), 'something else than the end is lost')
  else {
    for (const [id, fate] of fates) if (fate === 'stored') assert.ok(ids.includes(id), `${id} is lost`)
    assert.ok(isPrefix(world.seen, ids), 'what was seen has changed')
  }
  checkWhole(events)
  // What the log has now, it keeps; and what it has not, it never gets.
  for (const id of fates.keys()) fates.set(id, ids.includes(id) ? 'stored' : 'not stored')
  world.seen = ids
  await checkRows(store, world)
  await store.close()
  disk.kill()
}

const isPrefix = (short: readonly string[], long: readonly string[]): boolean =>
  isDeepStrictEqual(short, long.slice(0, short.length))

function checkWhole(events: readonly StoredEvent[]): void {
  const sequences = new Map<string, number>()
  const counts = new Map<string, number>()
  for (const [i, { position, sequence, stream, commitId, data }] of events.entries()) {
    assert.equal(position, i + 1)
    assert.equal(sequence, (sequences.get(stream.id) ?? 0) + 1)
    sequences.set(stream.id, sequence)
    const n = counts.get(commitId) ?? 0
    counts.set(commitId, n + 1)
    assert.deepEqual({ id: (data as { id: string }).id, n: (data as { n: number }).n }, { id: commitId, n })
  }
}

/** Rows and checkpoint are of one step, and not of one before the last that was acknowledged as durable. */
async function checkRows(store: Store, world: World): Promise<void> {
  const { position, note } = await store.loadCheckpoint('p')
  const [last] = await store.loadRows('p', ['last'])
  assert.deepEqual(
    { last, note },
    position === 0 ? { last: undefined, note: {} } : { last: position, note: { position } },
  )
  if (!world.mayLose) assert.ok(position >= world.step, `the step ${world.step} is lost`)
}

async function run(seed: number): Promise<readonly string[]> {
  const random = new Random(seed)
  const disk = new SimulatedDisk(random.fork())
  const mayLose = random.chance(0.3)
  const segmentBytesMax = random.pick([600, 3_000, 1_000_000])
  const counts = { step: 0, steps: 0, commits: 0, openings: 0 }
  const machine = new SimulatedMachine()
  const world: World = { random, disk, machine, mayLose, segmentBytesMax, fates: new Map(), seen: [], ...counts }
  try {
    for (let left = random.int(2, 6); left > 0; left--) {
      await live(world)
      if (random.chance(0.7)) await look(world)
    }
    await look(world)
    await damage(world)
  } catch (cause) {
    const end = disk.trace.slice(-15).join('\n')
    throw new Error(`MNEME_SEED=${seed} (${mayLose ? 'may lose' : 'durable'}) failed after:\n${end}`, { cause })
  }
  return disk.trace
}

/** A sector at a wrong place is never read as an event. */
async function damage(world: World): Promise<void> {
  world.disk.misdirect()
  const store = await attempt(() => open(world))
  if (store instanceof MnemeError) return
  const events = await attempt(() => logOf(store))
  if (!(events instanceof MnemeError)) {
    checkWhole(events)
    assert.ok(isPrefix(idsOf(events), world.seen), 'an event has changed')
  }
  await attempt(() => store.close())
}

test(`A file store keeps its promises on ${seeds} simulated disks`, async () => {
  for (let seed = first; seed < first + seeds; seed++) await run(seed)
})

test('A file store keeps its promises on the simulated disks that have shown a mistake', async () => {
  for (const seed of foundBefore) await run(seed)
})

test('The same seed makes the same calls to the disk', async () => {
  for (let seed = 1; seed <= 15; seed++) assert.deepEqual(await run(seed), await run(seed))
})
