/**
 * W10: appending (as W3), reading the log's tail and reading a stream's tail cost the same on a log of 1,000,000 events
 * as on one of 10,000. Rounds on the two take turns, and the figure is how many times as much the long log costs.
 */
import type { Store } from '../../src/index.ts'
import { type Figure, median } from '../figure.ts'
import { type Driven, drive, type Load } from '../rounds.ts'
import { openStore, type Setting } from '../setting.ts'
import { expectingLoad } from './append.ts'
import { accountAt } from './events.ts'
import { largeLog, perStream } from './large-log.ts'

const shortFull = 10_000
const longFull = 1_000_000
const tail = 10

interface Kind {
  readonly id: string
  readonly what: string
  readonly loadOn: (store: Store) => Omit<Load, 'close'>
}

export async function measureLogLength(setting: Setting): Promise<readonly Figure[]> {
  const shortPlace = await largeLog(setting, shortFull)
  const longPlace = await largeLog(setting, longFull * setting.scale)
  const [short, long] = [await openStore(shortPlace), await openStore(longPlace)]
  globalThis.gc?.()
  const figures: Figure[] = []
  for (const { id, what, loadOn } of kinds) {
    const loads = [loadOn(short), loadOn(long)] as const
    const ratios: number[] = []
    for (let round = 0; round <= 2 * setting.rounds; round++) {
      const cost = async (load: Omit<Load, 'close'>): Promise<number> => {
        const driven: Driven = await drive({ ...load, close: async () => {} }, setting.roundMs / 4)
        return driven.seconds / driven.operations
      }
      const costShort = await cost(loads[0])
      const costLong = await cost(loads[1])
      if (round > 0) ratios.push(costLong / costShort)
    }
    const { store } = setting
    figures.push({ id, what, store, unit: 'times', value: median(ratios), memoryPeakBytes: process.memoryUsage.rss() })
  }
  await short.close()
  await long.close()
  await shortPlace.remove()
  await longPlace.remove()
  return figures
}

const kinds: readonly Kind[] = [
  {
    id: 'W10-append',
    what: 'W3 on a log of 1,000,000 events, by its cost on one of 10,000',
    loadOn: (store) => expectingFrom(store),
  },
  {
    id: 'W10-log',
    what: 'the last 10 events of the log, likewise',
    loadOn: (store) => ({
      callers: 1,
      operation: async () => {
        const head = await store.head()
        return store.readAll({ from: head - tail + 1, to: Number.POSITIVE_INFINITY })
      },
    }),
  },
  {
    id: 'W10-stream',
    what: 'the last 10 events of a stream, likewise',
    loadOn: (store) => ({
      callers: 1,
      operation: (_, count) =>
        store.readStream(
          accountAt(count % perStream),
          { from: 0, to: Number.POSITIVE_INFINITY },
          { direction: 'backward', limit: tail },
        ),
    }),
  },
]

/** W9 may have gone before and added events, so where the streams are is asked first. */
function expectingFrom(store: Store): Omit<Load, 'close'> {
  let ready: Promise<ReturnType<typeof expectingLoad>> | undefined
  const begin = async () => {
    const sequences = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const range = { from: 0, to: Number.POSITIVE_INFINITY }
        const [last] = await store.readStream(accountAt(index), range, { direction: 'backward', limit: 1 })
        return last!.sequence
      }),
    )
    return expectingLoad(store, sequences)
  }
  return {
    callers: 50,
    operation: async (caller, count) => {
      ready ??= begin()
      return (await ready).operation(caller, count)
    },
  }
}
