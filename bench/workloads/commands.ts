/** W6: commands end to end, from the handle's method to the durable answer. */

import type { StartOptions } from '../../src/index.ts'
import { plainTeller, type Teller, zodTeller } from '../bank.ts'
import type { Load, Throughput } from '../rounds.ts'
import type { Place } from '../setting.ts'

interface Shape {
  readonly accounts: number
  readonly callers: number
  /** Which account a caller uses. */
  readonly choose: (caller: number, count: number) => number
  readonly start?: (options: StartOptions) => Promise<Omit<Teller, 'overdraw'>>
  readonly options?: StartOptions
  readonly operationsMax?: number
}

const accounts = 100
const byChance = (count: number) => () => Math.floor(Math.random() * count)

/** W6a: each account used by one caller. */
export const owned: Throughput = commands('W6a', 'deposit on 100 accounts, 50 callers, each account used by one', {
  accounts,
  callers: 50,
  choose: (caller, count) => caller + 50 * (count % 2),
})

/** W6b: accounts shared at random. */
export const shared: Throughput = commands('W6b', 'deposit on 100 accounts at random, 50 callers', {
  accounts,
  callers: 50,
  choose: byChance(accounts),
})

const crowd: Shape = { accounts, callers: 1000, choose: byChance(accounts) }

/** W6c: W6b with 1,000 callers. */
export const crowded: Throughput = commands('W6c', 'deposit on 100 accounts at random, 1,000 callers', crowd)

/** W6c without a validator. */
export const crowdedPlain: Throughput = commands('W6c-plain', 'W6c without a validator', {
  ...crowd,
  start: plainTeller,
})

/** W6d: one hot account. */
export const hot: Throughput = commands('W6d', 'deposit on 1 account, 1,000 callers', {
  accounts: 1,
  callers: 1000,
  choose: () => 0,
})

/** W6e: more accounts than may live, so that they come and go all the while. */
export const comingAndGoing: Throughput = commands(
  'W6e',
  '100,000 deposits on 10,000 accounts at random of which 1,000 may live, 100 callers',
  {
    accounts: 10_000,
    callers: 100,
    choose: byChance(10_000),
    options: { limits: { liveAggregatesMax: 1000 } },
    operationsMax: 100_000,
  },
)

/** W11: commands that are rejected, each confirmed by a look at the stream's end, beside as many that are stored. */
export const rejected: Throughput = rejections('W11', 50)
/** W11 with 1,000 callers. */
export const rejectedCrowded: Throughput = rejections('W11-crowd', 1000)

function rejections(id: string, callers: number): Throughput {
  const shape: Shape = { accounts, callers, choose: byChance(accounts) }
  return {
    id,
    what: `rejected withdrawals on 100 accounts at random, ${callers.toLocaleString('en')} callers`,
    unit: 'commands/s',
    async prepare(place) {
      const teller = await zodTeller({ store: place.factory })
      const ids = await openAll(teller, accounts)
      return {
        callers,
        operation: () => teller.overdraw(ids[shape.choose(0, 0)]!),
        close: () => teller.stop(),
      }
    },
    beside: {
      what: 'deposits by as many callers',
      prepare: (place, { scale }) => loadOf(shape, place, scale),
    },
  }
}

/** A load of W6c, for what is measured beside it. */
export const crowdedLoad = (place: Place): Promise<Load> => loadOf(crowd, place, 1)

function commands(id: string, what: string, shape: Shape): Throughput {
  return { id, what, unit: 'commands/s', prepare: (place, { scale }) => loadOf(shape, place, scale) }
}

async function loadOf(shape: Shape, place: Place, scale: number): Promise<Load> {
  const { accounts, callers, choose, start = zodTeller, options = {}, operationsMax } = shape
  const teller = await start({ store: place.factory, ...options })
  const ids = await openAll(teller, accounts)
  return {
    callers,
    operation: (caller, count) => teller.deposit(ids[choose(caller, count)]!),
    close: () => teller.stop(),
    ...(operationsMax !== undefined && { operationsMax: operationsMax * scale }),
  }
}

async function openAll(teller: Pick<Teller, 'open'>, accounts: number): Promise<readonly string[]> {
  const ids = Array.from({ length: accounts }, (_, i) => `account-${i}`)
  await Promise.all(ids.map((id) => teller.open(id)))
  return ids
}
