/** W9: from nothing to the first command's answer, on a store that holds 1,000,000 events. */
import { Bank } from '../bank.ts'
import { type Figure, median, spreadOf } from '../figure.ts'
import type { Setting } from '../setting.ts'
import { accountAt } from './events.ts'
import { largeLog } from './large-log.ts'

const eventsFull = 1_000_000

export async function measureOpening(setting: Setting): Promise<readonly Figure[]> {
  const place = await largeLog(setting, eventsFull * setting.scale)
  globalThis.gc?.()
  const times: number[] = []
  for (let round = 0; round <= setting.rounds; round++) {
    const startedAt = performance.now()
    const bank = await Bank.start({ store: place.factory, projections: 'manual' })
    await bank.account(accountAt(round).id).deposit({ amount: 1 })
    if (round > 0) times.push(performance.now() - startedAt)
    await bank.stop()
  }
  return [
    {
      id: 'W9',
      what: 'open a store of 1,000,000 events and handle the first command',
      store: setting.store,
      unit: 'ms',
      value: median(times),
      latencyMs: spreadOf(times),
      memoryPeakBytes: process.memoryUsage.rss(),
    },
  ]
}
