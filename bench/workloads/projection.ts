/**
 * W7: a projection (the balance of each account) catches up over 100,000 events; rows and checkpoint in the same store.
 */
import { Bank } from '../bank.ts'
import { type Figure, median, spreadOf } from '../figure.ts'
import { projectBare } from '../floors/projection.ts'
import { makePlace, openStore, type Setting } from '../setting.ts'
import { fill } from './events.ts'

const accounts = 1000
const eventsFull = 100_000

export async function measureProjection(setting: Setting): Promise<readonly Figure[]> {
  const { store, rounds, scale } = setting
  const events = eventsFull * scale
  const place = makePlace(setting, 'w7')
  const filling = await openStore(place)
  await fill(filling, accounts, events / accounts)
  await filling.close()
  const bank = await Bank.start({ store: place.factory, projections: 'manual' })
  const rates: number[] = []
  const floors: number[] = []
  const ratios: number[] = []
  let cpuSeconds = 0
  for (let round = 0; round <= rounds; round++) {
    await place.opened().resetProjection('balances')
    const cpu = process.cpuUsage()
    const startedAt = performance.now()
    const { events: handled } = await bank.projections.runOnce('balances')
    const rate = events / ((performance.now() - startedAt) / 1000)
    const { user, system } = process.cpuUsage(cpu)
    if (handled !== events) throw new Error(`The projection handled ${handled} events of ${events}`)
    const bareSeconds = await projectBare(place)
    if (round === 0) continue
    rates.push(rate)
    cpuSeconds += (user + system) / 1e6
    if (bareSeconds === undefined) continue
    floors.push(events / bareSeconds)
    ratios.push(rate / floors.at(-1)!)
  }
  await bank.stop()
  await place.remove()
  const what = 'reading the same rows and upserting the same documents bare'
  return [
    {
      id: 'W7',
      what: 'a projection of 1,000 rows catches up over 100,000 events',
      store,
      unit: 'events/s',
      value: median(rates),
      floor: floors.length === 0 ? undefined : { value: median(floors), what, ratio: median(ratios) },
      latencyMs: spreadOf(rates.map((rate) => (events / rate) * 1000)),
      cpuSecondsPer100k: (cpuSeconds / (rates.length * events)) * 100_000,
      memoryPeakBytes: process.memoryUsage.rss(),
    },
  ]
}
