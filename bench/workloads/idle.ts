/** What 100 projections cost that have caught up and have nothing to do, on a short log and on a long one. */
import { setTimeout } from 'node:timers/promises'
import { Account, Deposited, Opened } from '../../examples/bank/account.ts'
import { domain, projection } from '../../src/index.ts'
import type { Figure } from '../figure.ts'
import { makePlace, openStore, type Setting } from '../setting.ts'
import { fill } from './events.ts'

const names = Array.from({ length: 100 }, (_, i) => `idler${i}`)
const accounts = 100
const watchMsFull = 20_000
const watchMsLeast = 2_000
const settleMs = 1_000

const Idlers = domain({
  aggregates: { account: Account },
  projections: Object.fromEntries(
    names.map((name) => {
      const counting = projection(name, () => 0)
      return [name, counting.on(Deposited, (count) => count + 1).on(Opened, (count) => count + 1)]
    }),
  ),
})

export async function measureIdling(setting: Setting): Promise<readonly Figure[]> {
  return [
    await measureOne(setting, 'idle-short', 1_000),
    await measureOne(setting, 'idle', Math.max(2_000, 100_000 * setting.scale)),
  ]
}

async function measureOne(setting: Setting, id: string, events: number): Promise<Figure> {
  const { store, scale } = setting
  const place = makePlace(setting, id)
  const filling = await openStore(place)
  await fill(filling, accounts, events / accounts)
  await filling.close()
  const idlers = await Idlers.start({ store: place.factory, projections: 'manual' })
  for (const name of names) await idlers.projections.start(name, { from: events + 1 })
  await setTimeout(settleMs)
  for (const name of names) {
    const { state, lag } = await idlers.projections.status(name)
    if (state !== 'running' || lag.events > 0) throw new Error(`${name} is ${state}, and ${lag.events} events behind`)
  }
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  await setTimeout(Math.max(watchMsLeast, watchMsFull * scale))
  const elapsedMs = performance.now() - startedAt
  const { user, system } = process.cpuUsage(cpu)
  const memoryPeakBytes = process.memoryUsage.rss()
  await idlers.stop()
  await place.remove()
  return {
    id,
    what: `100 projections that have caught up, on a log of ${events.toLocaleString('en')} events: share of a core`,
    store,
    unit: '%',
    value: (user + system) / 10 / elapsedMs,
    memoryPeakBytes,
  }
}
