/** How late timers are while W6c runs at full load: a durable store must sync without holding up the event loop. */
import { type Figure, spreadOf } from '../figure.ts'
import { drive } from '../rounds.ts'
import { makePlace, type Setting } from '../setting.ts'
import { crowdedLoad } from './commands.ts'

const intervalMs = 5

export async function measureEventLoop(setting: Setting): Promise<readonly Figure[]> {
  const place = makePlace(setting)
  const load = await crowdedLoad(place)
  await drive(load, setting.roundMs)
  const latenesses: number[] = []
  let dueAt = performance.now() + intervalMs
  const tick = () => {
    const now = performance.now()
    latenesses.push(Math.max(0, now - dueAt))
    dueAt = now + intervalMs
    timer = setTimeout(tick, intervalMs)
  }
  let timer = setTimeout(tick, intervalMs)
  const { cpuSeconds, operations } = await drive(load, setting.roundMs * setting.rounds)
  clearTimeout(timer)
  const memoryPeakBytes = process.memoryUsage.rss()
  await load.close()
  await place.remove()
  const lateness = spreadOf(latenesses)
  return [
    {
      id: 'loop',
      what: `lateness of ${intervalMs} ms timers while W6c runs (p99)`,
      store: setting.store,
      unit: 'ms',
      value: lateness?.p99 ?? Number.POSITIVE_INFINITY,
      latencyMs: lateness,
      cpuSecondsPer100k: (cpuSeconds / operations) * 100_000,
      memoryPeakBytes,
    },
  ]
}
