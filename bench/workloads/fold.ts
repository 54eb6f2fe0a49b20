/** W5: folding one stream of 10,000 events into state, cold: by the store's port alone, and as the kernel does it. */

import { Account } from '../../examples/bank/account.ts'
import { fold, type Store } from '../../src/index.ts'
import { aggregateType } from '../../src/kernel/aggregate-type.ts'
import { Bank } from '../bank.ts'
import { type Figure, type Floor, median, spreadOf } from '../figure.ts'
import { foldBare } from '../floors/postgres-reading.ts'
import { makePlace, openStore, type Place, type Setting } from '../setting.ts'
import { accountAt, fill } from './events.ts'

const eventsFull = 10_000
const foldsPerRound = 5

/** The three ways of getting at the state. */
export async function measureFolds(setting: Setting): Promise<readonly Figure[]> {
  const events = eventsFull * setting.scale
  const place = makePlace(setting, 'w5')
  const filling = await openStore(place)
  await fill(filling, 1, events)
  await filling.close()
  const floor = place.name === 'postgres' ? () => foldBare(place) : undefined
  const figures = [
    await figureOf('W5', 'fold a stream of 10,000 events, cold', setting, () => foldCold(place, events), floor),
    await figureOf('W5-kernel', 'the same through `state()`, each event checked by zod', setting, () =>
      rehydrate(place, events),
    ),
    await figureOf('W5-snapshot', 'the same from a snapshot 5 events before the end: time', setting, () =>
      fromSnapshot(place, events),
    ),
  ]
  await place.remove()
  return figures
}

/** Opens the store again, folds, and gives the seconds that the fold took. */
async function foldCold(place: Place, events: number): Promise<number> {
  const store: Store = await openStore(place)
  const startedAt = performance.now()
  const balance = await fold(store, accountAt(0), 0, (sum, { data }) => {
    const { amount } = data as { readonly amount?: number }
    return amount === undefined ? sum : sum + amount
  })
  const seconds = (performance.now() - startedAt) / 1000
  if (balance !== events - 1) throw new Error(`The fold gave ${balance}, not ${events - 1}`)
  await store.close()
  return seconds
}

async function rehydrate(place: Place, events: number): Promise<number> {
  const bank = await Bank.start({ store: place.factory, projections: 'manual' })
  const startedAt = performance.now()
  const { balance } = await bank.account(accountAt(0).id).state()
  const seconds = (performance.now() - startedAt) / 1000
  if (balance !== events - 1) throw new Error(`The state has ${balance}, not ${events - 1}`)
  await bank.stop()
  return seconds
}

async function fromSnapshot(place: Place, events: number): Promise<number> {
  const store = await openStore(place)
  const state = { status: 'open', balance: events - 6 }
  const [end] = await store.readStream(accountAt(0), { from: events - 5, to: events - 4 })
  const snapshot = {
    stream: accountAt(0),
    sequence: events - 5,
    stateRevision: 1,
    checksum: end!.checksum,
    fingerprint: aggregateType(Account, {}).fingerprint,
    state,
    takenAt: Date.now(),
  }
  await store.saveSnapshot(snapshot, { keep: 1 })
  await store.close()
  const bank = await Bank.start({ store: place.factory, projections: 'manual', snapshotEvery: 1000 })
  const startedAt = performance.now()
  const { balance } = await bank.account(accountAt(0).id).state()
  const seconds = (performance.now() - startedAt) / 1000
  if (balance !== events - 1) throw new Error(`The state has ${balance}, not ${events - 1}`)
  await bank.stop()
  return seconds
}

async function figureOf(
  id: string,
  what: string,
  { store, rounds, scale }: Setting,
  measure: () => Promise<number>,
  measureFloor?: () => Promise<number>,
): Promise<Figure> {
  const isTime = id === 'W5-snapshot'
  const seconds: number[] = []
  const floorSeconds: number[] = []
  for (let n = 0; n < rounds * foldsPerRound + 2; n++) {
    const each = await measure()
    const bare = await measureFloor?.()
    if (n < 2) continue
    seconds.push(each)
    if (bare !== undefined) floorSeconds.push(bare)
  }
  return {
    id,
    what,
    store,
    unit: isTime ? 'ms' : 'events/s',
    value: isTime ? median(seconds) * 1000 : (eventsFull * scale) / median(seconds),
    floor: measureFloor === undefined ? undefined : floorOf(seconds, floorSeconds, eventsFull * scale),
    latencyMs: spreadOf(seconds.map((each) => each * 1000)),
    memoryPeakBytes: process.memoryUsage.rss(),
  }
}

function floorOf(seconds: readonly number[], floorSeconds: readonly number[], events: number): Floor {
  return {
    what: 'the same rows, row by row through the driver',
    value: events / median(floorSeconds),
    ratio: median(floorSeconds.map((bare, i) => bare / seconds[i]!)),
  }
}
