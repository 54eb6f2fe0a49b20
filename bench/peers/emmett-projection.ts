/**
 * W7 as a user of Emmett writes it: a consumer whose projection keeps a row for each account, in batches of 1,000 and
 * without its pause between batches (50 ms by default). Two ways on PostgreSQL: SQL statements, the fastest that its
 * consumer takes, and documents that a function of theirs and an event make, as ours are. Either way its consumer
 * handles event by event and saves the checkpoint with each, a round trip every time, and commits once a batch.
 */
import { sql } from '@event-driven-io/dumbo'
import type { Event } from '@event-driven-io/emmett'
import {
  type PostgreSQLProjectionDefinition,
  pongoMultiStreamProjection,
  postgreSQLRawSQLProjection,
} from '@event-driven-io/emmett-postgresql'
import { sqliteRawSQLProjection } from '@event-driven-io/emmett-sqlite'
import type { Place } from '../setting.ts'
import { deposited, type Happened, opened, openPostgres, openSqlite } from './emmett-store.ts'

const pulling = { batchSize: 1000, pullingFrequencyInMs: 0 }
const canHandle: Happened['type'][] = ['AccountOpened', 'MoneyDeposited']
const upsert = 'ON CONFLICT (id) DO UPDATE SET'

/** An event as the consumer hands it over; their types leave the stream's name out. */
type Handed = Happened & { readonly metadata: { readonly streamName: string } }

const inStatements = postgreSQLRawSQLProjection<Happened & Event>({
  name: 'balances',
  canHandle,
  init: () =>
    sql(`CREATE TABLE IF NOT EXISTS balances (
      id text PRIMARY KEY, owner text NOT NULL DEFAULT '', balance bigint NOT NULL DEFAULT 0)`),
  evolve: (event) => {
    const { metadata, type, data } = event as Handed
    const { streamName } = metadata
    return type === 'AccountOpened'
      ? sql(`INSERT INTO balances (id, owner) VALUES (%L, %L) ${upsert} owner = excluded.owner`, streamName, data.owner)
      : sql(
          `INSERT INTO balances (id, balance) VALUES (%L, %s) ${upsert} balance = balances.balance + excluded.balance`,
          streamName,
          data.amount,
        )
  },
})

type Balance = { owner: string; balance: number }

const inDocuments = pongoMultiStreamProjection<Balance, Happened>({
  collectionName: 'documents',
  canHandle,
  getDocumentId: (event) => (event as unknown as Handed).metadata.streamName,
  initialState: () => ({ owner: '', balance: 0 }),
  evolve: (document: Balance, { type, data }: Happened): Balance =>
    type === 'AccountOpened'
      ? { ...document, owner: data.owner }
      : { ...document, balance: document.balance + data.amount },
})

const inSqlite = sqliteRawSQLProjection<Happened & Event>({
  canHandle,
  initSQL: `CREATE TABLE balances (id TEXT PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', balance INTEGER NOT NULL DEFAULT 0)`,
  evolve: (event) => {
    const { metadata, type, data } = event as Handed
    return type === 'AccountOpened'
      ? `INSERT INTO balances (id, owner) VALUES ('${metadata.streamName}', '${data.owner}') ${upsert} owner = excluded.owner`
      : `INSERT INTO balances (id, balance) VALUES ('${metadata.streamName}', ${data.amount})
          ${upsert} balance = balance + excluded.balance`
  },
})

const accounts = 1000

/** Fills a log, and gives the seconds in which a projection has caught up with it, again at each call. */
export function emmettProjection(place: Place, events: number, id: string): Promise<() => Promise<number>> {
  if (place.name === 'sqlite') return onSqlite(place, events)
  return onPostgres(
    place,
    events,
    (id === 'W7' ? inStatements : inDocuments) as unknown as PostgreSQLProjectionDefinition,
  )
}

const factsOf = (events: number): Happened[] => [
  opened,
  ...Array.from({ length: events / accounts - 1 }, () => deposited(1)),
]

let runs = 0

async function onPostgres(
  place: Place,
  events: number,
  projection: PostgreSQLProjectionDefinition,
): Promise<() => Promise<number>> {
  const { store } = await openPostgres(place)
  for (let i = 0; i < accounts; i++) await store.appendToStream(`account-${i}`, factsOf(events))
  return async () => {
    let handled = 0
    const consumer = store.consumer({ pulling })
    const stopAfter = () => ++handled === events
    consumer.projector({ projection, processorId: `run-${runs++}`, truncateOnStart: true, stopAfter })
    return timed(() => consumer.start())
  }
}

async function onSqlite(place: Place, events: number): Promise<() => Promise<number>> {
  const { store, connection } = openSqlite(place)
  for (let i = 0; i < accounts; i++) await store.appendToStream(`account-${i}`, factsOf(events))
  await inSqlite.init?.({ context: { connection } } as never)
  return async () => {
    let handled = 0
    const consumer = store.consumer({ pulling })
    const stopAfter = () => ++handled === events
    consumer.processor({ projection: inSqlite, processorId: `run-${runs++}`, stopAfter } as never)
    return timed(() => consumer.start())
  }
}

async function timed(act: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await act()
  return (performance.now() - startedAt) / 1000
}
