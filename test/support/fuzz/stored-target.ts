/**
 * What a domain keeps in its store, when something else has written there: rows, notes of checkpoints, snapshots and
 * events that fit their checksums and are not what the domain wrote. Each call is answered or refused with a code. A
 * value is read as it is stored, or not at all.
 */
import assert from 'node:assert/strict'
import { NotEncoded } from '../../../src/domain/encoding.ts'
import { MnemeError } from '../../../src/domain/error.ts'
import type { Json, JsonObject } from '../../../src/domain/json.ts'
import { commit } from '../../../src/store/commit.ts'
import { everything } from '../../../src/store/range.ts'
import type { Store, StoredEvent, StoreFactory } from '../../../src/store/store.ts'
import type { Random } from '../../../src/testing/random.ts'
import { checkDecoded, mutateEncoded, storableIn } from './encoding-target.ts'
import type { FuzzTarget, Outcome } from './fuzz-target.ts'
import { fillShop, OfTheShop, openShop, projections, type RunningShop, rowKeys, sell, storagesOf } from './shop.ts'

/** Some questions are answered by a job. */
type Question = () => PromiseLike<unknown>

const unlimited = { limit: Number.POSITIVE_INFINITY }
const opening = { now: () => 0, warn: () => {} }
const main = { aggregate: 'shop', id: 'main' }

/** What is stored: the log, and the rows of the projection `by`. */
interface Stored {
  readonly log: readonly StoredEvent[]
  readonly rows: ReadonlyMap<string, Json>
}

/**
 * @param place makes an empty store, which may be opened several times, one after the other
 */
export const storedTarget = (store: string, place: () => Promise<StoreFactory>): FuzzTarget => ({
  name: `stored on ${store}`,
  async run(random) {
    const factory = await place()
    await fillShop(factory)
    const opened = await factory.open(opening)
    let stored: Stored
    try {
      const storages = await storagesOf(opened)
      if (!(await changeSomething(opened, storages, random))) return 'refused'
      stored = await storedIn(opened, storages[0]!)
    } finally {
      await opened.close()
    }
    return askAll(factory, stored)
  },
})

async function storedIn(store: Store, storage: string): Promise<Stored> {
  const { events: log } = await store.readAll(everything, unlimited)
  const { rows } = await store.listRows(storage, unlimited)
  return { log, rows: new Map(rows.map(({ key, value }) => [key, value!])) }
}

/** Changes something as another program would. Returns false if a store does not take it. */
async function changeSomething(store: Store, storages: readonly string[], random: Random): Promise<boolean> {
  const kind = random.below(10)
  if (kind === 0) return changeNote(store, random.pick(storages), random)
  if (kind === 1) return changeSnapshot(store, random)
  if (kind === 2) return addEvent(store, random)
  const storage = random.pick(storages)
  const { rows } = await store.listRows(storage, unlimited)
  const { key, value } = random.pick(rows)
  const changed = changedJson(value!, random)
  if (changed === undefined) return false
  const at = await store.loadCheckpoint(storage)
  await store.saveStep(storage, { from: at, to: at, rows: [{ key, value: changed.json }] })
  return true
}

async function changeNote(store: Store, storage: string, random: Random): Promise<boolean> {
  const at = await store.loadCheckpoint(storage)
  const all = { ...at.note, began: 1, forgetting: 'behind' }
  const note = changedJson(random.chance(0.5) ? all : at.note, random)?.json
  if (typeof note !== 'object' || note === null || Array.isArray(note)) return false
  await store.saveStep(storage, { from: at, to: { ...at, note: note as JsonObject }, rows: [] })
  return true
}

async function changeSnapshot(store: Store, random: Random): Promise<boolean> {
  const snapshot = (await store.loadSnapshot(main))!
  const changed = changedJson(snapshot.state, random)
  if (changed === undefined) return false
  await store.saveSnapshot({ ...snapshot, sequence: snapshot.sequence + 1, state: changed.json }, { keep: 1 })
  return true
}

async function addEvent(store: Store, random: Random): Promise<boolean> {
  const { events } = await store.readAll(everything, unlimited)
  const { data: before, type, revision } = random.pick(events)
  const data = changedJson(before, random)
  if (data === undefined) return false
  const event = { type, revision, data: data.json }
  await store.append([commit({ stream: main, expected: 'any', id: 'other', recordedAt: 0, events: [event] })])
  return true
}

const changedJson = (json: Json, random: Random) => storableIn(mutateEncoded(JSON.stringify(json), random))

async function askAll(factory: StoreFactory, stored: Stored): Promise<Outcome> {
  await using shop = await openShop(factory)
  const { running, environment, causes } = shop
  let refused = 0
  const ask = async (question: Question) => {
    try {
      await question()
    } catch (error) {
      checkCause(error)
      refused++
    }
  }
  await ask(() => checkEvents(running, stored.log))
  for (const key of rowKeys) await ask(() => checkRow(running, key, stored.rows.get(key)))
  for (const question of readings(running)) await ask(question)
  const outcome = refused > 0 ? 'refused' : 'answered'
  for (const question of changes(running)) await ask(question)
  await environment.advance(20_000_000)
  for (const question of [...changes(running), ...readings(running)]) await ask(question)
  for (const name of projections) await ask(() => running.projections.reset(name, { from: 1 }))
  await ask(() => running.reactions.reset('follow', { from: 1 }))
  for (const cause of causes) checkCause(cause)
  return outcome
}

/** An error without a code may only come from the functions of the shop. */
function checkCause(error: unknown): void {
  for (let each = error; each !== undefined; each = (each as Error).cause) {
    if (each instanceof OfTheShop || each instanceof NotEncoded) return
    if (!(each instanceof MnemeError)) throw error
  }
}

async function checkEvents(running: RunningShop, log: readonly StoredEvent[]): Promise<void> {
  const own = log.filter(({ stream }) => stream.aggregate === 'shop')
  let count = 0
  for await (const { sequence, data } of running.shop('main').history()) {
    const held = own[count++]!.data as { readonly $output?: Json }
    assert.equal(sequence, count)
    if (held?.$output !== undefined && Object.keys(held).length === 1) checkDecoded(data, held.$output)
  }
  assert.equal(count, own.length)
}

/** The record of generations may name another place by now, where no rows are. That cannot be told from a switch. */
async function checkRow(running: RunningShop, key: string, json: Json | undefined): Promise<void> {
  const row = await running.by.get(key)
  if (json !== undefined && row !== undefined) checkDecoded(row, json)
  else assert.equal(row, undefined)
}

const readings = ({ by, total, shop, projections, reactions }: RunningShop): readonly Question[] => [
  () => by.find({ orderBy: ['n'], limit: 3 }),
  () => by.find({ where: { n: { gte: 2 } } }),
  () => by.find({ orderBy: [['gain', 'descending']] }),
  () => by.count({ where: { n: 4 } }),
  () => total.get('main'),
  () => shop('main').state(),
  () => projections.status('by'),
  () => projections.parked('by'),
  () => projections.compare('by'),
  () => reactions.status('follow'),
  () => reactions.parked('follow'),
  () => reactions.timers('follow'),
]

const changes = (running: RunningShop): readonly Question[] => [
  () => running.projections.runOnce('by'),
  () => running.projections.runOnce('total'),
  () => running.reactions.runOnce('follow'),
  () => sell(running, 7),
  () => running.projections.runOnce('by'),
  () => running.projections.runOnce('total'),
  () => running.reactions.runOnce('follow'),
  () => running.projections.retryParked('by'),
  () => running.reactions.retryParked('follow'),
  () => running.reactions.skipParked('follow', 5),
  () => running.reactions.retryParked('follow'),
  () => running.projections.skipParked('by', 5),
  () => running.projections.rebuild('by'),
]
