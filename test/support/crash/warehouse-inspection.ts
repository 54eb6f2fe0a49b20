/**
 * Inspects a warehouse after a crash. First it looks at what the crash has left: everything that is stored must belong
 * to its checkpoint. Then it lets the warehouse run: everything must become a fold of the whole log.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { everything, type RecordedEvent, type Store, type StoreFactory } from '../../../src/index.ts'
import { ownMark } from '../../../src/projection/stored/row-key.ts'
import { listAll } from '../../../src/testing/conformance/row-listing.ts'
import { within } from './deadline.ts'
import { checkWarning } from './inspection.ts'
import {
  fragileOf,
  retryAll,
  rings,
  type StockRow,
  sideFileOf,
  startWarehouse,
  stockOf,
  storeOf,
  type Tally,
  type Warehouse,
  type WarehousePlace,
} from './warehouse.ts'

/** What a look is told. */
interface Looking {
  readonly place: WarehousePlace
  /** The newest revision that was started. */
  readonly revision: number
  /** The ids of the commands that were answered. */
  readonly answered: ReadonlySet<string>
}

/** What was found that a test may count. */
interface Found {
  readonly events: number
  /** Whether rows were being rebuilt. */
  readonly wasBuilding: boolean
  readonly wasParked: number
}

type Log = readonly RecordedEvent<string, any>[]

const patienceMs = 300_000
const rowsMax = 1000
const pollMs = 5

/** Looks at everything and leaves the warehouse closed. */
export async function inspectWarehouse({ place, revision, answered }: Looking): Promise<Found> {
  const factory = storeOf(place)
  let store: Store | undefined
  const open: StoreFactory['open'] = async (options) => {
    store = await factory.open(options)
    return store
  }
  const version = { revision, healed: true }
  // No other process runs, so the lease can be long. On a slow machine, a short one is lost again and again before a
  // reaction has done anything.
  const leaseMs = 5000
  const options = { store: { name: factory.name, open }, projections: 'manual', warn: checkWarning, leaseMs } as const
  const warehouse = await startWarehouse(place, version, options)
  try {
    const log = await readLog(store!)
    checkLog(log, answered)
    const [record] = await store!.loadRows('generations stock', ['generations'])
    const wasParked = await checkWhatIsThere(warehouse, place, log)
    await goOn(warehouse)
    await checkAll(warehouse, store!, place)
    const wasBuilding = (record as { readonly building?: unknown } | undefined)?.building !== undefined
    return { events: log.length, wasBuilding, wasParked }
  } finally {
    await warehouse.stop()
  }
}

/** Waits until something is so, and asks only now and then: asking takes time from what is to become so. */
export async function eventually(
  whatIsNot: string,
  condition: () => Promise<boolean>,
  describe: () => Promise<string> = async () => '',
): Promise<void> {
  let isOver = false
  const wait = async () => {
    while (!isOver && !(await condition())) await setTimeout(pollMs)
  }
  try {
    await within(patienceMs, wait(), async () => `${whatIsNot} ${await describe()}`)
  } finally {
    isOver = true
  }
}

/** Starts all that stands, and waits until nothing is left to do and nothing is parked. */
async function goOn(warehouse: Warehouse): Promise<void> {
  const { projections, reactions } = warehouse
  const statuses = () =>
    Promise.all([
      ...(['stock', 'fragile', 'journal'] as const).map((name) => projections.status(name)),
      reactions.status('followUp'),
    ])
  const isSettled = async () => {
    const before = await statuses()
    for (const { failure } of before) if (failure !== undefined) throw failure
    if (before.some(({ lag, state }) => lag.events > 0 || state !== 'running')) return false
    await retryAll(warehouse)
    return (await statuses()).every(({ lag, parked }) => lag.events === 0 && parked === 0)
  }
  for (const name of ['stock', 'fragile', 'journal'] as const) await projections.start(name)
  await reactions.start('followUp')
  await eventually('not settled', isSettled, async () => JSON.stringify(await statuses()))
}

async function readLog(store: Store): Promise<Log> {
  const { events } = await store.readAll(everything, { limit: Number.POSITIVE_INFINITY })
  return events.map((event) => ({ ...event, recordedAt: new Date(event.recordedAt) }))
}

/** Positions have no gap, each commit is there once, and every command that was answered is. */
function checkLog(log: Log, answered: ReadonlySet<string>): void {
  const commits = new Set<string>()
  for (const [i, { position, stream, commitId }] of log.entries()) {
    assert.equal(position, i + 1, 'positions are contiguous')
    const commit = `${stream.aggregate} ${stream.id} ${commitId}`
    assert.ok(!commits.has(commit), `${commit} is stored once`)
    commits.add(commit)
  }
  const ids = new Set(log.map(({ commitId }) => commitId))
  for (const id of answered) assert.ok(ids.has(id), `${id}, which was answered, is stored`)
}

/** What was saved belongs to the checkpoint it was saved with. Returns how many events were parked. */
async function checkWhatIsThere(warehouse: Warehouse, place: WarehousePlace, log: Log): Promise<number> {
  const [first] = (await warehouse.stock.find({ limit: 1 })).rows
  // Rows of an older revision serve until the new ones have caught up; there is no mixture.
  await checkRows(warehouse, 'stock', stockOf(first?.row.revision ?? 1), log)
  await checkRows(warehouse, 'fragile', fragileOf(true), log)
  await checkJournal(warehouse, place, log)
  const parked = await Promise.all([warehouse.projections.parked('fragile'), warehouse.reactions.parked('followUp')])
  return parked.reduce((sum, { length }) => sum + length, 0)
}

/**
 * Rows are the fold of all that is handled and not parked: behind a parked event nothing with a key of it was folded.
 */
async function checkRows(
  warehouse: Warehouse,
  name: 'stock' | 'fragile',
  definition: ReturnType<typeof stockOf> | ReturnType<typeof fragileOf>,
  log: Log,
): Promise<void> {
  const handled = await handledBy(warehouse, name, log)
  const expected = new Map<string, StockRow>()
  for (const event of handled) {
    if (![...definition.folds.keys()].some((family) => family.includes(event))) continue
    for (const key of definition.keysOf(event)) {
      const row = definition.evolve(expected.get(key), event as Parameters<typeof definition.evolve>[1])
      if (row === undefined) expected.delete(key)
      else expected.set(key, row)
    }
  }
  const { rows } = await warehouse[name].find({ limit: rowsMax })
  const found = new Map(rows.map(({ key, row }) => [key, row]))
  assert.deepEqual(found, expected, `the rows of ${name} are the fold of what is handled`)
}

/** The events that a projection has handled, without those that it has parked. */
async function handledBy(warehouse: Warehouse, name: 'stock' | 'fragile' | 'journal', log: Log): Promise<Log> {
  const { position } = await warehouse.projections.status(name)
  const parked = new Set((await warehouse.projections.parked(name)).map((event) => event.position))
  return log.filter((event) => event.position <= position && !parked.has(event.position))
}

/** In SQL each event was written down exactly once, and added exactly once; elsewhere at least once. */
async function checkJournal(warehouse: Warehouse, place: WarehousePlace, log: Log): Promise<void> {
  const handled = await handledBy(warehouse, 'journal', log)
  const wanted = handled.filter(({ type }) => type === 'Put' || type === 'Moved')
  if (place.store === 'file') {
    const written = new Set(wanted.length === 0 ? [] : readFileSync(sideFileOf(place), 'utf8').split('\n'))
    for (const { position } of wanted) assert.ok(written.has(String(position)), `${position} was written down`)
    return
  }
  const database = new DatabaseSync(place.path, { readOnly: true })
  try {
    const has = database.prepare("SELECT count(*) AS found FROM sqlite_master WHERE name = 'journal_sum'").get()
    if (wanted.length === 0 && has!['found'] === 0) return
    const rows = database.prepare('SELECT position, amount FROM journal ORDER BY position').all()
    const expected = wanted.map(({ position, data }) => ({ position, amount: data.amount }))
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      expected,
      'each event was written down exactly once',
    )
    const sum = expected.reduce((all, { amount }) => all + amount, 0)
    const kept = { ...database.prepare('SELECT events, sum FROM journal_sum').get() }
    assert.deepEqual(kept, { events: expected.length, sum }, 'each event was added exactly once')
  } finally {
    database.close()
  }
}

/** Everything is as if nothing had ever been killed; and the rows can be rebuilt, which leaves nothing behind. */
async function checkAll(warehouse: Warehouse, store: Store, place: WarehousePlace): Promise<void> {
  await eventually('a bell has not rung', () => haveAllRung(store))
  const check = async () => {
    const log = await readLog(store)
    const { revision } = (await warehouse.stock.get('all')) ?? { revision: 1 }
    await checkRows(warehouse, 'stock', stockOf(revision), log)
    await checkRows(warehouse, 'fragile', fragileOf(true), log)
    await checkJournal(warehouse, place, log)
    await checkReaction(store, log)
  }
  await check()
  const { differing } = await warehouse.projections.compare('stock')
  assert.equal(differing, 0)
  await warehouse.projections.rebuild('stock')
  await check()
  if (place.store === 'sqlite') await checkLeftovers(store, place)
}

/**
 * Nothing waits for its time any more, and as many bells have rung. What a bell leaves is in the log a moment before
 * its row is gone.
 */
async function haveAllRung(store: Store): Promise<boolean> {
  const { rows: waiting } = await store.listRows('reaction follow up', { prefix: 'timer ', limit: 1 })
  if (waiting.length > 0) return false
  const count = async (type: string) => {
    const { events } = await store.readAll(everything, { types: [type], limit: Number.POSITIVE_INFINITY })
    return events.filter(({ data }) => type !== 'Put' || rings(data as { readonly amount: number })).length
  }
  return (await count('Rung')) >= (await count('Put'))
}

/** Each command of the reaction happened once, each bell rang once, and its states are a fold of the log. */
async function checkReaction(store: Store, log: Log): Promise<void> {
  const states = new Map<string, Tally>()
  const notes: string[] = []
  const bells: string[] = []
  for (const { type, data, position, stream } of log) {
    const { id } = stream
    const { count, sum } = states.get(id) ?? { count: 0, sum: 0 }
    if (type === 'Cleared') states.delete(id)
    if (type === 'Moved') notes.push(`${id} ${position} ${count}`, `${data.to} ${position} ${count}`)
    if (type !== 'Put') continue
    states.set(id, { count: count + 1, sum: sum + data.amount })
    notes.push(`${id} ${position} ${count + 1}`)
    if (rings(data)) bells.push(`${id} ${position}`)
  }
  const of = (wanted: string) => log.filter(({ type }) => type === wanted)
  const noted = of('Noted').map(({ stream, data }) => `${stream.id} ${data.position} ${data.count}`)
  assert.deepEqual(noted.sort(), notes.sort(), 'each command happened once')
  const rung = of('Rung').map(({ stream, data }) => `${stream.id} ${data.position}`)
  assert.deepEqual(rung.sort(), bells.sort(), 'each timer fired once')
  const stored = await listAll(store, 'reaction follow up', { limit: 1000 })
  // It also says whose work it is, and which events that program declares.
  const programs = [`${ownMark}handles`, `${ownMark}declares`]
  const rows = stored.filter(({ key }) => !programs.includes(key))
  const found = new Map(rows.map(({ key, value }) => [key, value]))
  const expected = new Map([...states].map(([id, state]) => [`state ${id}`, state]))
  assert.deepEqual(found, expected, 'the reaction keeps its states and nothing else')
}

/** Nothing is left of rows that serve no more. */
async function checkLeftovers(store: Store, { path }: WarehousePlace): Promise<void> {
  const [record] = await store.loadRows('generations stock', ['generations'])
  const { storage } = (record as unknown as { readonly live: { readonly storage: string } }).live
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const rows = database.prepare('SELECT DISTINCT projection FROM projection_rows').all()
    const own = rows.map((row) => String(row['projection'])).filter((name) => /stock/.test(name))
    const serving = new Set(['generations stock', storage])
    assert.deepEqual(
      own.filter((name) => !serving.has(name)),
      [],
      'rows are left that serve no more',
    )
  } finally {
    database.close()
  }
}
