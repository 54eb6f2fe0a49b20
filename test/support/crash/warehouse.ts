/**
 * A warehouse whose read side is under test: everything that follows the log, made so that an event that was lost,
 * doubled or swapped shows. What fails on some events fails only until the definition is healed; then what was parked
 * can be tried again.
 */
import { appendFileSync } from 'node:fs'
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction, type StoreFactory } from '../../../src/index.ts'
import { file } from '../../../src/store/file/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'

/** Where a warehouse is kept. */
export interface WarehousePlace {
  readonly store: 'file' | 'sqlite'
  readonly path: string
}

/** What is different about the definitions of a program. */
export interface Version {
  /** Of the rows of `stock`. */
  readonly revision: number
  /** Whether nothing fails. */
  readonly healed: boolean
}

const amount = z.int()
const Put = event('Put', z.object({ amount }))
const Moved = event('Moved', z.object({ amount, to: z.string() }))
const Cleared = event('Cleared', z.object({}))
const Noted = event('Noted', z.object({ position: z.int(), count: z.int() }))
const Rung = event('Rung', z.object({ position: z.int() }))

const Shelf = aggregate('shelf', () => ({ events: 0 }))
  .on(Put, ({ events }) => ({ events: events + 1 }))
  .on(Moved, ({ events }) => ({ events: events + 1 }))
  .on(Cleared, () => ({ events: 0 }))
  .command('put', z.object({ amount }), (_, data) => Put(data))
  .command('move', z.object({ amount, to: z.string() }), (_, data) => Moved(data))
  .command('clear', z.object({}), () => Cleared({}))

/** Takes every command that it is sent, so that one that is sent twice is noted twice. */
const Note = aggregate('note', () => ({}))
  .on(Noted)
  .command('write', z.object({ position: z.int(), count: z.int() }), (_, data) => Noted(data))

const Bell = aggregate('bell', () => ({}))
  .on(Rung)
  .command('ring', z.object({ position: z.int() }), (_, data) => Rung(data))

/** What an event that is not healed yet does. */
function failUnlessHealed(isHealed: boolean, { amount }: { readonly amount: number }): void {
  if (!isHealed && amount % 31 === 13) throw new RangeError(`${amount} is not healed yet`)
}

export interface StockRow {
  readonly revision: number
  readonly events: number
  readonly sum: number
  /** Tells in which order the events came. */
  readonly digest: number
}

const added = (row: StockRow, { amount }: { readonly amount: number }, position: number): StockRow => ({
  ...row,
  events: row.events + 1,
  sum: row.sum + amount,
  digest: (row.digest * 31 + position) % 1_000_003,
})

/** Rows of several keys, some of them deleted now and then. */
export const stockOf = (revision: number) =>
  projection('stock', (): StockRow => ({ revision, events: 0, sum: 0, digest: 0 }))
    .on(Put, (row, data, { position }) => added(row, data, position))
    .on(Moved, (row, data, { position }) => added(row, data, position))
    .on(Cleared, () => undefined)
    .by((event) => {
      const { id } = event.stream
      if (event.type === 'Put') return [id, 'all', `size ${event.data.amount % 4}`]
      return event.type === 'Moved' ? [id, event.data.to, 'all'] : id
    })
    .revision(revision)

/** Parks what fails, and what queues behind it on one of its shelves. */
export const fragileOf = (isHealed: boolean) =>
  projection('fragile', (): StockRow => ({ revision: 1, events: 0, sum: 0, digest: 0 }))
    .on(Put, (row, data, { position }) => {
      failUnlessHealed(isHealed, data)
      return added(row, data, position)
    })
    .on(Moved, (row, data, { position }) => {
      failUnlessHealed(isHealed, data)
      return added(row, data, position)
    })
    .on(Cleared, () => undefined)
    .by((event) => (event.type === 'Moved' ? [event.stream.id, event.data.to] : event.stream.id))
    .onFailure({ giveUp: 'park' })

/** Where a projection as code keeps what it was given, in a store without SQL: a line for each time. */
export const sideFileOf = ({ path }: WarehousePlace): string => `${path}-journal`

/**
 * Writes down each event: in SQL into a table that takes everything, also twice, and a running sum; else into a file.
 * It fails after it has written.
 */
const journalOf = (place: WarehousePlace, isHealed: boolean) =>
  projection('journal')
    .handle([Put, Moved], async (events, tools) => {
      for (const { data, position } of events) {
        if (place.store === 'file') appendFileSync(sideFileOf(place), `\n${position}`)
        else {
          await tools.transaction.query('INSERT INTO journal VALUES (?, ?)', [position, data.amount])
          await tools.transaction.query('UPDATE journal_sum SET events = events + 1, sum = sum + ?', [data.amount])
        }
        failUnlessHealed(isHealed, data)
      }
    })
    .prepare(async (tools) => {
      if (place.store === 'file') return
      await tools.transaction.query('CREATE TABLE IF NOT EXISTS journal (position INTEGER, amount INTEGER)')
      await tools.transaction.query(
        'CREATE TABLE IF NOT EXISTS journal_sum (id INTEGER PRIMARY KEY, events INTEGER, sum INTEGER)',
      )
      await tools.transaction.query('INSERT OR IGNORE INTO journal_sum VALUES (1, 0, 0)')
    })
    .onFailure({ retries: 1, pauseFirstMs: 1, pauseMaxMs: 1, giveUp: 'park' })

export interface Tally {
  readonly count: number
  readonly sum: number
}

/**
 * Remembers something of each shelf, sends commands because of each event, and rings a bell later for some; for several
 * shelves at once.
 */
const followUpOf = (isHealed: boolean) =>
  reaction('follow up', { note: Note, bell: Bell }, { concurrency: 4 })
    .state((): Tally => ({ count: 0, sum: 0 }))
    .on(Put, async ({ data, position, stream: { id } }, { state, setState, dispatch, schedule }) => {
      const next = { count: state.count + 1, sum: state.sum + data.amount }
      await dispatch({ aggregate: 'note', id, name: 'write', data: { position, count: next.count } })
      failUnlessHealed(isHealed, data)
      setState(next)
      if (rings(data)) schedule({ aggregate: 'bell', id, name: 'ring', data: { position } }, { afterMs: 20 })
    })
    .on(Moved, async ({ data, position, stream: { id } }, { state, dispatch }) => {
      const { count } = state
      await dispatch({ aggregate: 'note', id, name: 'write', data: { position, count } })
      failUnlessHealed(isHealed, data)
      await dispatch({ aggregate: 'note', id: data.to, name: 'write', data: { position, count } })
    })
    .on(Cleared, (_, { setState }) => setState(undefined))
    .onFailure({ retries: 1, pauseFirstMs: 1, pauseMaxMs: 1, giveUp: 'park' })

/** Whether the bell is to ring for what was put somewhere. */
export const rings = ({ amount }: { readonly amount: number }): boolean => amount % 3 === 0

export const leaseMs = 40
export const shelves: readonly string[] = Array.from({ length: 16 }, (_, i) => `shelf ${i}`)

export const storeOf = ({ store, path }: WarehousePlace): StoreFactory =>
  store === 'file' ? file(path, { segmentBytesMax: 64 * 1024 }) : sqlite(path)

/** How a warehouse is started. */
export interface WarehouseOptions {
  readonly store?: StoreFactory
  readonly leaseMs?: number
  readonly projections?: 'automatic' | 'manual'
  readonly warn?: (message: string) => void
}

export function startWarehouse(
  place: WarehousePlace,
  { revision, healed }: Version,
  { warn = () => {}, ...options }: WarehouseOptions = {},
) {
  const Warehouse = domain({
    aggregates: { shelf: Shelf, note: Note, bell: Bell },
    projections: { stock: stockOf(revision), fragile: fragileOf(healed), journal: journalOf(place, healed) },
    reactions: { followUp: followUpOf(healed) },
  })
  const common = { store: storeOf(place), leaseMs, pollIntervalMs: 20, snapshotEvery: 10, passivateAfterMs: 100 }
  return Warehouse.start({ ...common, log: { warn }, ...options })
}

export type Warehouse = Awaited<ReturnType<typeof startWarehouse>>

/** Tries again everything that is parked. */
export async function retryAll({ projections, reactions }: Warehouse): Promise<void> {
  await projections.retryParked('fragile')
  await projections.retryParked('journal')
  await reactions.retryParked('followUp')
}
