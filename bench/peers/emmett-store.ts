/** Emmett's stores as a user opens them, and the events and state of its bank. */
import type { Event, EventStore } from '@event-driven-io/emmett'
import { getInMemoryEventStore } from '@event-driven-io/emmett'
import { getPostgreSQLEventStore, type PostgresEventStore } from '@event-driven-io/emmett-postgresql'
import {
  getSQLiteEventStore,
  type SQLiteConnection,
  type SQLiteEventStore,
  sqliteConnection,
} from '@event-driven-io/emmett-sqlite'
import { Pool } from 'pg'
import type { Place } from '../setting.ts'
import { makeDatabase } from './peer-database.ts'

export type Deposited = Event<'MoneyDeposited', { amount: number }>
export type Opened = Event<'AccountOpened', { owner: string }>
export type Happened = Deposited | Opened

export interface State {
  readonly status: 'none' | 'open'
  readonly balance: number
}

export const initialState = (): State => ({ status: 'none', balance: 0 })

export function evolve(state: State, event: Happened): State {
  switch (event.type) {
    case 'AccountOpened':
      return { ...state, status: 'open' }
    case 'MoneyDeposited':
      return { ...state, balance: state.balance + event.data.amount }
  }
}

export const deposited = (amount: number): Deposited => ({ type: 'MoneyDeposited', data: { amount } })
export const opened: Opened = { type: 'AccountOpened', data: { owner: 'ada' } }

/** A store that is open. */
export interface Opening<Store = EventStore> {
  readonly store: Store
  readonly close: () => Promise<void>
}

export async function openStore(place: Place): Promise<Opening> {
  if (place.name === 'memory') return { store: getInMemoryEventStore(), close: async () => {} }
  const opening = place.name === 'postgres' ? await openPostgres(place) : openSqlite(place)
  return opening as unknown as Opening
}

/** More connections than its default of 10 make commands of 50 callers faster here, still more of them slower again. */
const connectionsMax = 25

/** In a database of its own. */
export async function openPostgres(place: Place): Promise<Opening<PostgresEventStore>> {
  const connectionString = await makeDatabase(place)
  const pool = new Pool({ connectionString, max: connectionsMax })
  const store = getPostgreSQLEventStore(connectionString, { connectionOptions: { pool } })
  await store.schema.migrate()
  const close = async () => {
    await store.close()
    await pool.end()
  }
  return { store, close }
}

/** All callers share one connection, since with the default, a connection a call, it fails with `SQLITE_BUSY`. */
export function openSqlite({ path }: Place): Opening<SQLiteEventStore> & { readonly connection: SQLiteConnection } {
  const connection = sqliteConnection({ fileName: path })
  const store = getSQLiteEventStore({ fileName: path, connectionOptions: { singleton: true, connection } })
  return { store, connection, close: async () => connection.close() }
}
