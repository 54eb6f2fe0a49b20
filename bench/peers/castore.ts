/**
 * The workloads as a user of Castore writes them, after its documentation: an event store on its PostgreSQL adapter,
 * and a command whose input is checked by the same zod schema as ours. Castore has no order over all streams, so there
 * is nothing like W7, and each event of its own is a statement of its own.
 */
import { Command, EventStore, EventType, tuple } from '@castore/core'
import { PostgresEventStorageAdapter } from '@castore/event-storage-adapter-postgres'
import { z } from 'zod'
import type { Load, Throughput } from '../rounds.ts'
import type { Place } from '../setting.ts'
import { makeDatabase } from './peer-database.ts'

const Opened = new EventType<'AccountOpened', { owner: string }>({ type: 'AccountOpened' })
const Deposited = new EventType<'MoneyDeposited', { amount: number }>({ type: 'MoneyDeposited' })

interface Account {
  readonly aggregateId: string
  readonly version: number
  readonly status: 'none' | 'open'
  readonly balance: number
}

interface Happened {
  readonly aggregateId: string
  readonly version: number
  readonly type: string
  readonly payload: { readonly amount: number } | { readonly owner: string }
}

function reducer(account: Account | undefined, { aggregateId, version, payload }: Happened): Account {
  const { status, balance } = account ?? { status: 'none' as const, balance: 0 }
  return 'owner' in payload
    ? { aggregateId, version, status: 'open', balance }
    : { aggregateId, version, status, balance: balance + payload.amount }
}

/** An account's id is text, as ours are; the adapter makes its own pool of connections. */
async function openStore(place: Place) {
  const connectionString = await makeDatabase(place)
  await PostgresEventStorageAdapter.createEventTable({ connectionString, aggregateId: { type: 'VARCHAR', length: 64 } })
  return new EventStore({
    eventStoreId: 'ACCOUNTS',
    eventTypes: [Opened, Deposited],
    reducer: reducer as never,
    eventStorageAdapter: new PostgresEventStorageAdapter({ connectionString }),
  }) as unknown as AccountStore
}

/** What the workloads use of an event store. */
interface AccountStore {
  pushEvent(event: Happened): Promise<unknown>
  getAggregate(id: string): Promise<{ readonly aggregate: Account | undefined }>
}

const DepositInput = z.object({ id: z.string(), amount: z.int().positive() })

/** The adapter keeps its connections to itself, so they end with the process. */
const close = async (): Promise<void> => {}

const appending: Throughput = {
  id: 'W2',
  what: '',
  unit: 'events/s',
  prepare: async (place) => {
    const store = await openStore(place)
    let streams = 0
    const operation = () =>
      store.pushEvent({
        aggregateId: `account-${streams++}`,
        version: 1,
        type: 'MoneyDeposited',
        payload: { amount: 1 },
      })
    return { callers: 50, operation, close }
  },
}

const depositing: Throughput = {
  id: 'W6a',
  what: '',
  unit: 'commands/s',
  prepare: async (place): Promise<Load> => {
    const store = await openStore(place)
    const deposit = new Command({
      commandId: 'DEPOSIT',
      requiredEventStores: tuple(store as never),
      handler: async (input: { readonly id: string; readonly amount: number }, [accounts]: readonly [AccountStore]) => {
        const { id, amount } = DepositInput.parse(input)
        const { aggregate } = await accounts.getAggregate(id)
        if (aggregate?.status !== 'open') throw new Error('The account is not open')
        const version = aggregate.version + 1
        await accounts.pushEvent({ aggregateId: id, version, type: 'MoneyDeposited', payload: { amount } })
      },
    } as never)
    for (let i = 0; i < 100; i++) {
      await store.pushEvent({
        aggregateId: `account-${i}`,
        version: 1,
        type: 'AccountOpened',
        payload: { owner: 'ada' },
      })
    }
    const operation = (caller: number, count: number) =>
      deposit.handler({ id: `account-${caller + 50 * (count % 2)}`, amount: 1 }, [store as never])
    return { callers: 50, operation, close }
  },
}

/** The workloads that are measured by rounds. */
export const castoreLoads: readonly Throughput[] = [appending, depositing]

/** W5: fills a stream, and gives the seconds of one cold fold at each call. */
export async function castoreFold(place: Place, events: number): Promise<() => Promise<number>> {
  const store = await openStore(place)
  const aggregateId = 'account-0'
  await store.pushEvent({ aggregateId, version: 1, type: 'AccountOpened', payload: { owner: 'ada' } })
  for (let version = 2; version <= events; version++) {
    await store.pushEvent({ aggregateId, version, type: 'MoneyDeposited', payload: { amount: 1 } })
  }
  return async () => {
    const startedAt = performance.now()
    const { aggregate } = await store.getAggregate(aggregateId)
    if (aggregate?.balance !== events - 1) throw new Error(`The fold gave ${aggregate?.balance}`)
    return (performance.now() - startedAt) / 1000
  }
}
