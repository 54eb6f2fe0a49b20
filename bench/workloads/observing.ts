/**
 * What an observer costs: the processor time of a command with one that does nothing, by that without one. Both banks
 * run in one process and take turns, in both orders, so that neither is always the first.
 */
import { plainTeller } from '../bank.ts'
import { type Figure, median } from '../figure.ts'
import { drive, type Load } from '../rounds.ts'
import { makePlace, type Setting } from '../setting.ts'

const accounts = 100
const callers = 1000

export async function measureObserving(setting: Setting): Promise<readonly Figure[]> {
  const without = await bank(setting, undefined)
  const withOne = await bank(setting, () => {})
  const costs = { without: [] as number[], withOne: [] as number[] }
  const ratios: number[] = []
  for (let round = 0; round <= 2 * setting.rounds; round++) {
    const first = round % 2 === 0 ? 'without' : 'withOne'
    const cost = { without: 0, withOne: 0 }
    for (const which of [first, first === 'without' ? 'withOne' : 'without'] as const) {
      const { cpuSeconds, operations } = await drive((which === 'without' ? without : withOne).load, setting.roundMs)
      cost[which] = (cpuSeconds / operations) * 100_000
    }
    // The first round warms up.
    if (round === 0) continue
    costs.without.push(cost.without)
    costs.withOne.push(cost.withOne)
    ratios.push(cost.withOne / cost.without)
  }
  const memoryPeakBytes = process.memoryUsage.rss()
  for (const { load, remove } of [without, withOne]) {
    await load.close()
    await remove()
  }
  const shared = { store: setting.store, memoryPeakBytes }
  return [
    {
      ...shared,
      id: 'observed',
      what: 'processor time of a deposit with an observer, by that without one (W6c without a validator)',
      unit: 'times',
      value: median(ratios),
      cpuSecondsPer100k: median(costs.withOne),
    },
    {
      ...shared,
      id: 'observed-not',
      what: 'processor time of 100,000 deposits without an observer',
      unit: 'ms',
      value: median(costs.without) * 1000,
      cpuSecondsPer100k: median(costs.without),
    },
  ]
}

interface Measured {
  readonly load: Load
  readonly remove: () => Promise<void>
}

async function bank(setting: Setting, observe: (() => void) | undefined): Promise<Measured> {
  const place = makePlace(setting)
  const teller = await plainTeller({ store: place.factory, ...(observe && { observe }) })
  const ids = Array.from({ length: accounts }, (_, i) => `account-${i}`)
  await Promise.all(ids.map((id) => teller.open(id)))
  return {
    load: {
      callers,
      operation: () => teller.deposit(ids[Math.floor(Math.random() * accounts)]!),
      close: () => teller.stop(),
    },
    remove: () => place.remove(),
  }
}
