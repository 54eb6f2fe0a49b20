/**
 * The workloads as a user of Emmett writes them, after its documentation. Commands are checked by the same zod schema
 * as ours. What it does not do and ours does: wait for the disk in every case (on SQLite, callers whose transactions
 * overlap on the shared connection are answered before the outermost one commits), and check events against their
 * schemas.
 */
import { CommandHandler, isExpectedVersionConflictError } from '@event-driven-io/emmett'
import { z } from 'zod'
import type { Load, Throughput } from '../rounds.ts'
import type { Place } from '../setting.ts'
import { deposited, evolve, type Happened, initialState, opened, openStore, type State } from './emmett-store.ts'

const DepositInput = z.object({ amount: z.int().positive() })

/** Emmett's own retry, with a first delay of 1 ms where its default is 100 ms. */
const conflictRetries = 100

const handle = CommandHandler<State, Happened>({
  evolve,
  initialState,
  retry: {
    onVersionConflict: {
      retries: conflictRetries,
      minTimeout: 1,
      maxTimeout: 10,
      factor: 1.5,
      shouldRetryError: isExpectedVersionConflictError,
    },
  },
})

/**
 * How often a command is sent again that failed: overlapping transactions on one connection get in each other's way.
 */
const triesMax = 20
let failed = 0

/** How many commands failed on the way and were sent again. */
export const failedOnTheWay = (): number => failed

async function persistently<Result>(send: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await send()
    } catch (error) {
      if (tries === triesMax) throw error
      failed++
    }
  }
}

function appending(id: string, callers: number, events: number): Throughput {
  return {
    id,
    what: '',
    unit: 'events/s',
    unitsEach: events,
    prepare: async (place) => {
      const { store, close } = await openStore(place)
      let streams = 0
      const operation = () => {
        const facts = Array.from({ length: events }, () => deposited(1))
        const options = { expectedStreamVersion: 'STREAM_DOES_NOT_EXIST' } as const
        return persistently(() => store.appendToStream(`account-${streams++}`, facts, options))
      }
      await operation()
      return { callers, operation, close }
    },
  }
}

function depositing(id: string, choose: (caller: number, count: number) => number): Throughput {
  return {
    id,
    what: '',
    unit: 'commands/s',
    prepare: async (place): Promise<Load> => {
      const { store, close } = await openStore(place)
      for (let i = 0; i < 100; i++) await handle(store, `account-${i}`, () => opened)
      const operation = (caller: number, count: number) => {
        const { amount } = DepositInput.parse({ amount: 1 })
        const stream = `account-${choose(caller, count)}`
        const decide = ({ status }: State) => {
          if (status !== 'open') throw new Error('The account is not open')
          return deposited(amount)
        }
        return persistently(() => handle(store, stream, decide))
      }
      return { callers: 50, operation, close }
    },
  }
}

/** The workloads that are measured by rounds. */
export const emmettLoads: readonly Throughput[] = [
  appending('W2', 50, 1),
  appending('W4', 1, 100),
  depositing('W6a', (caller, count) => caller + 50 * (count % 2)),
  depositing('W6b', () => Math.floor(Math.random() * 100)),
]

/** W5: fills a stream, and gives the seconds of one cold fold at each call. */
export async function emmettFold(place: Place, events: number): Promise<() => Promise<number>> {
  const filling = await openStore(place)
  const stream = 'account-0'
  const facts: Happened[] = [opened, ...Array.from({ length: events - 1 }, () => deposited(1))]
  for (let at = 0; at < facts.length; at += 1000) {
    await filling.store.appendToStream(stream, facts.slice(at, at + 1000))
  }
  return async () => {
    const startedAt = performance.now()
    const { state } = await filling.store.aggregateStream<State, Happened>(stream, { evolve, initialState })
    if (state.balance !== events - 1) throw new Error(`The fold gave ${state.balance}`)
    return (performance.now() - startedAt) / 1000
  }
}
