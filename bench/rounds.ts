/**
 * Measures in rounds: each on a store of its own, followed by its floor, so that both see the same machine. The first
 * round warms up and does not count.
 */
import { type Figure, median, spreadOf, type Unit } from './figure.ts'
import { replay } from './floors/replay.ts'
import type { Replayed } from './floors/timed.ts'
import { makePlace, type Place, type Setting } from './setting.ts'

/** A load that is ready to run. */
export interface Load {
  readonly callers: number
  /** Does one thing, for the `count`-th time of this caller. */
  readonly operation: (caller: number, count: number) => Promise<unknown>
  /** Operations to do in all; without it the round ends after its time. */
  readonly operationsMax?: number
  readonly close: () => Promise<void>
}

/** What a round of a load came to. */
export interface Driven {
  readonly operations: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly latenciesMs: readonly number[]
}

/** Lets callers work at once, each one thing after the other. */
export async function drive({ callers, operation, operationsMax }: Load, roundMs: number): Promise<Driven> {
  const latenciesMs: number[] = []
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const deadline = operationsMax === undefined ? startedAt + roundMs : Number.POSITIVE_INFINITY
  let left = operationsMax ?? Number.POSITIVE_INFINITY
  const work = async (_: unknown, caller: number): Promise<void> => {
    let begunAt = performance.now()
    for (let count = 0; begunAt < deadline && left > 0; count++) {
      left--
      await operation(caller, count)
      const endedAt = performance.now()
      latenciesMs.push(endedAt - begunAt)
      begunAt = endedAt
    }
  }
  await Promise.all(Array.from({ length: callers }, work))
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { operations: latenciesMs.length, seconds, cpuSeconds: (user + system) / 1e6, latenciesMs }
}

/** What is measured by rounds of a load, and how it is called. */
export interface Throughput {
  readonly id: string
  readonly what: string
  readonly unit: Unit
  /** Units in one operation; 1 if left out. */
  readonly unitsEach?: number
  /** Whether the figure is the median time of an operation rather than the rate. */
  readonly isLatency?: boolean
  readonly prepare: (place: Place, setting: Setting) => Promise<Load>
  /** Another load to measure beside it; what the store was given, replayed bare, if left out. */
  readonly beside?: { readonly what: string; readonly prepare: Throughput['prepare'] }
}

/** Runs the rounds and their floors. */
export async function measureThroughput(throughput: Throughput, setting: Setting): Promise<Figure> {
  const { id, what, unit, unitsEach = 1, isLatency = false, prepare, beside } = throughput
  const values: number[] = []
  const floors: number[] = []
  const ratios: number[] = []
  const latenciesMs: number[] = []
  const events: number[] = []
  let cpuSeconds = 0
  let operations = 0
  let memoryPeakBytes = 0
  let floorWhat = ''
  for (let round = 0; round <= setting.rounds; round++) {
    const place = makePlace(setting)
    const load = await prepare(place, setting)
    await place.mark()
    const operationsMax = load.operationsMax ?? setting.operations
    const driven = await drive({ ...load, ...(operationsMax !== undefined && { operationsMax }) }, setting.roundMs)
    memoryPeakBytes = Math.max(memoryPeakBytes, process.memoryUsage.rss())
    await load.close()
    const floor = beside === undefined ? await replay(place) : await besides(beside, setting)
    await place.remove()
    globalThis.gc?.()
    if (round === 0) continue
    const value = isLatency ? spreadOf(driven.latenciesMs)!.p50 : (driven.operations * unitsEach) / driven.seconds
    values.push(value)
    for (const latency of driven.latenciesMs) latenciesMs.push(latency)
    for (const batch of place.batches) events.push(batch.events)
    cpuSeconds += driven.cpuSeconds
    operations += driven.operations
    if (floor === undefined) continue
    floors.push(isLatency ? spreadOf(floor.latenciesMs)!.p50 : (floor.commits * unitsEach) / floor.seconds)
    ratios.push(value / floors.at(-1)!)
    floorWhat = floor.what
  }
  return {
    id,
    what,
    store: setting.store,
    unit,
    value: median(values),
    floor: floors.length === 0 ? undefined : { value: median(floors), what: floorWhat, ratio: median(ratios) },
    eventsPerSync: spreadOf(events),
    latencyMs: spreadOf(latenciesMs),
    cpuSecondsPer100k: (cpuSeconds / operations) * 100_000,
    memoryPeakBytes,
  }
}

/** A round of another load, on a place of its own, as a floor. */
async function besides({ what, prepare }: NonNullable<Throughput['beside']>, setting: Setting): Promise<Replayed> {
  const place = makePlace(setting)
  const load = await prepare(place, setting)
  const { operations, seconds, latenciesMs } = await drive(load, setting.roundMs)
  await load.close()
  await place.remove()
  return { what, commits: operations, seconds, latenciesMs }
}
