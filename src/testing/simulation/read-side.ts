/** The projections and reactions of a run: whether they have caught up, and whether their rows are right. */
import { inspect } from 'node:util'
import { type AnyProjection, singleKey } from '../../domain/projection.ts'
import type { FoundPage } from '../../projection/reading/query.ts'
import type { WaitOptions } from '../../projection/running/status.ts'
import type { StoredEvent } from '../../store/store.ts'
import { Broken } from './checks.ts'
import type { Part } from './plan.ts'
import type { SimulatedProcess } from './process.ts'
import { rowsAfter } from './replay.ts'
import { isSame } from './same.ts'
import type { AnyDomain, Version } from './version.ts'
import type { Witness } from './witness.ts'
import type { World } from './world.ts'

/** The rows of a projection by key, or its one state. */
type Rows = Readonly<Record<string, unknown>>

/** Beyond so many skipped events, not every choice of them is tried: the others count as skipped. */
const skippedMax = 8

/** The projections and reactions of a domain. */
export const partsOf = ({ projections, reactions }: AnyDomain): readonly Part[] => [
  ...Object.keys(projections).map((key) => ({ of: 'projections', key }) as const),
  ...Object.keys(reactions).map((key) => ({ of: 'reactions', key }) as const),
]

/** The projections with rows, by their keys. */
export const rowsOf = ({ projections }: AnyDomain): readonly (readonly [key: string, projection: AnyProjection])[] =>
  Object.entries(projections).filter((entry): entry is [string, AnyProjection] => entry[1].shape !== 'code')

/**
 * Whether all of some processes stand at a position, and one of them leads each projection and reaction. Only a leader
 * handles what an older version passed over, so without one there may be more to do.
 *
 * @throws Broken if one has failed
 */
async function standAt(position: number, processes: readonly SimulatedProcess[]): Promise<boolean> {
  const isLed = new Map<string, boolean>()
  for (const { started, version } of processes) {
    for (const { of, key } of partsOf(version.domain)) {
      const { name, position: here, failure, state } = await started![of].status(key)
      if (failure !== undefined) {
        throw new Broken('projections and reactions go on', `${key}: ${failure}`, failure)
      }
      isLed.set(name, isLed.get(name) || state === 'running')
      // While rows of a new revision are made, reads get the old ones.
      if (here !== position || state === 'preparing') return false
    }
  }
  return ![...isLed.values()].includes(false)
}

/** What has to come to rest. */
export interface RestOptions {
  readonly world: World
  readonly witness: Witness
  /** All of them, each with the same version. */
  readonly processes: readonly SimulatedProcess[]
}

/** Waits until all of every process stand at the end of the log. @throws Broken */
export async function caughtUp({ world, witness, processes }: RestOptions): Promise<void> {
  for (;;) {
    await world.pause(200, 'looks')
    const head = witness.events.length
    // What is stored while it looks may be left to handle.
    if ((await standAt(head, processes)) && witness.events.length === head) return
  }
}

/**
 * Waits until what is scheduled for the next time is sent. What was scheduled by a clock that was wrong is, too.
 *
 * @param mostMs how far ahead it may be due
 */
export async function sent({ world, processes: [process] }: RestOptions, mostMs: number): Promise<void> {
  const endMs = process!.environment.now() + mostMs
  for (const { of, key } of partsOf(process!.version.domain)) {
    if (of === 'reactions') while (await isAnyDue(process!, key, endMs)) await world.pause(200, 'looks')
  }
}

/** Whether a reaction has a scheduled command that is due until a time, in milliseconds since 1970. */
async function isAnyDue({ started }: SimulatedProcess, key: string, endMs: number): Promise<boolean> {
  const { timers } = await started!.reactions.timers(key, { limit: 1 })
  return timers.some(({ dueAt }) => dueAt.getTime() <= endMs)
}

/** What rows may be at the end. */
export interface RowsExpected {
  readonly key: string
  readonly projection: AnyProjection
  readonly version: Version
  /** The positions of events that are still parked. */
  readonly parked: ReadonlySet<number>
  /** The positions of events that an operator has skipped. A rebuild after that handles them again. */
  readonly skipped: ReadonlySet<number>
}

/** The rows that some events make. @returns those that equal what was found @throws Broken if none do */
export function checkRows(
  { key, projection, version, parked, skipped }: RowsExpected,
  events: readonly StoredEvent[],
  found: Rows,
): ReadonlyMap<string, unknown> {
  const all = [...skipped].filter((position) => !parked.has(position))
  const [maybe, certain] = [all.slice(0, skippedMax), all.slice(skippedMax)]
  let first: unknown
  for (let choice = 2 ** maybe.length - 1; choice >= 0; choice--) {
    const left = new Set([...parked, ...certain, ...maybe.filter((_, i) => (choice >> i) & 1)])
    try {
      const made = rowsAfter(projection, version.aggregates, events, left)
      const expected: Rows =
        projection.shape === 'state' ? { state: made.get(singleKey) ?? projection.initial() } : Object.fromEntries(made)
      if (isSame(found, expected)) return made
      first ??= expected
    } catch (error) {
      // An event that cannot be folded was not handled.
      first ??= error
    }
  }
  const [is, should] = [found, first].map((rows) => inspect(rows, { depth: 6 }))
  throw new Broken('rows are what the events make', `${key} is ${is}, but the events make ${should}`)
}

/** The rows as a process reads them when it has handled the whole log. */
export async function readRows(
  { started }: SimulatedProcess,
  key: string,
  { shape, indexes }: AnyProjection,
  { events }: Witness,
  timeoutMs: number,
): Promise<Rows> {
  const model: any = started![key]
  const wait: WaitOptions = { atLeast: events.length, timeoutMs }
  if (shape === 'state') return { state: await model.state(wait) }
  const { rows }: FoundPage<unknown> = await model.find({ limit: 1e6 }, wait)
  const all = Object.fromEntries(rows.map(({ key: own, row }) => [own, row]))
  for (const index of indexes) {
    const orderBy = index.map(({ field, sign }) => (sign === 1 ? field : [field, 'descending']))
    const found: FoundPage<unknown> = await model.find({ orderBy, limit: 1e6 }, wait)
    const inOrder = Object.fromEntries(found.rows.map(({ key: own, row }) => [own, row]))
    if (found.rows.length === rows.length && isSame(inOrder, all)) continue
    const reason = `by ${inspect(orderBy)}, ${key} has ${inspect(found.rows)}, and its rows are ${inspect(all)}`
    throw new Broken('an index has every row once', reason)
  }
  return all
}
