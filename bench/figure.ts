/** What measurements say: the shape in which a measuring process hands its figures to the one that reports them. */

/** The stores that are measured. */
export const storeNames = ['memory', 'file', 'sqlite', 'postgres', 'mongodb', 'nats'] as const
export type StoreName = (typeof storeNames)[number]

/** How much of something there was in the middle and at the edge. */
export interface Spread {
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/** The same work done bare, in the same process and between the same rounds. */
export interface Floor {
  readonly value: number
  /** What was done, in a few words. */
  readonly what: string
  /** Ours by the floor's; a median over the rounds. Above 1 is better for rates, worse for times. */
  readonly ratio: number
}

/** Rates are better high, everything else is better low. */
export type Unit = 'commands/s' | 'commits/s' | 'events/s' | 'reads/s' | 'ms' | 'bytes' | 'times' | '%'

/** One measured number, and what else was seen while measuring it. */
export interface Figure {
  /** The workload's id, with a word behind it where it gives several figures. */
  readonly id: string
  readonly what: string
  readonly store: StoreName
  readonly unit: Unit
  /** A median over the rounds. */
  readonly value: number
  readonly floor?: Floor | undefined
  /** Events that became durable together (in memory: that were appended by one call). */
  readonly eventsPerSync?: Spread | undefined
  readonly latencyMs?: Spread | undefined
  readonly cpuSecondsPer100k?: number | undefined
  /** Resident, of the whole process. */
  readonly memoryPeakBytes: number
}

export function median(values: readonly number[]): number {
  return percentile([...values].sort(ascending), 0.5)
}

/** The spread of some values, or nothing if there are none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  const sorted = Float64Array.from(values).sort()
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), p999: percentile(sorted, 0.999) }
}

const ascending = (a: number, b: number): number => a - b

function percentile(sorted: ArrayLike<number>, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
