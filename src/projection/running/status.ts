/** The status of a projection or reaction, and the options of waiting for it. */
import { hasCode, type MnemeError } from '../../domain/error.ts'
import type { EventStore, LogPlace, StoredEvent } from '../../store/store.ts'
import type { Retrying, Tries } from '../failures/tries.ts'

/** The result of a run. */
export interface RunResult {
  /** The last position that the projection has handled. */
  readonly position: number
  /** The events that this run folded into rows. */
  readonly events: number
}

/** How long a reader waits for a position, and the signal that ends the wait. */
export interface WaitOptions {
  /** The position that the projection must have handled. `outcome.position` reads your own write. */
  readonly atLeast?: number
  /** 5,000 by default. After that `PROJECTION_BEHIND` is thrown. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * `preparing`: its rows or tables are brought to this program's revision. `running`: this process follows the log.
 * `standby`: another process does. `paused`: no process does, until `resume`. `outdated`: the next event is newer than
 * this program, which leaves it to a newer one. `failed`: the next event cannot be handled. `stopped`: not started.
 */
export type ProjectionState = 'preparing' | 'running' | 'standby' | 'paused' | 'outdated' | 'failed' | 'stopped'

export interface ProjectionStatus {
  readonly name: string
  readonly state: ProjectionState
  /** The last position that is handled. */
  readonly position: number
  /** The log's last position. */
  readonly head: number
  /**
   * How far it is behind: in positions, and as the age of the oldest unhandled event in milliseconds. If the log was
   * replaced, it is behind by the whole log.
   */
  readonly lag: { readonly events: number; readonly ms: number }
  /** How many events are parked. */
  readonly parked: number
  /** Since when it is paused, in all processes. Absent if it is not. */
  readonly pausedSince?: Date
  /** The failure that is tried again now: of an event, a scheduled command, or the store. */
  readonly retrying?: Retrying
  /** Why it has failed. */
  readonly failure?: MnemeError
}

/** A status. What is not known of it, or not so, is left out. */
export const statusOf = (
  facts: Omit<ProjectionStatus, 'pausedSince' | 'retrying' | 'failure'>,
  more: { readonly [Key in 'pausedSince' | 'retrying' | 'failure']: ProjectionStatus[Key] | undefined },
): ProjectionStatus => ({
  ...facts,
  ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)),
})

/** What a process knows of a projection or reaction. */
export interface RunnerView {
  /** The checkpoint. */
  readonly here: LogPlace
  /** Whether this process certainly leads. */
  readonly leads: boolean
  /** The time until which another process leads, if it did at the last question. */
  readonly othersUntil: number | undefined
  /** The failures that are tried again here. */
  readonly tries: Pick<Tries, 'ofEvent' | 'ofCommand'>
  /** Why it has stopped. */
  readonly failure: MnemeError | undefined
}

/** How far a projection is behind. */
interface Lag extends Pick<ProjectionStatus, 'head' | 'lag'> {
  /** The error, if the log was replaced. */
  readonly replaced?: MnemeError
}

/**
 * How far a place is behind the end of the log.
 *
 * @param isFollowed whether a runner follows the log from there and notices if it is replaced; then nothing is read at
 *   the end of the log
 */
export async function lagOf(store: EventStore, place: LogPlace, now: number, isFollowed: boolean): Promise<Lag> {
  const head = await store.head()
  if (isFollowed && place.position === head) return { head, lag: { events: 0, ms: 0 } }
  const ageOf = (event: StoredEvent | undefined) => (event === undefined ? 0 : Math.max(0, now - event.recordedAt))
  try {
    return { head, lag: { events: Math.max(0, head - place.position), ms: ageOf(await nextBehind(store, place)) } }
  } catch (error) {
    if (!hasCode(error, 'LOG_REPLACED')) throw error
    return { head, lag: { events: head, ms: ageOf(await nextBehind(store, { position: 0 })) }, replaced: error }
  }
}

/** The event after a place, if there is one. @throws StoreError `LOG_REPLACED` if the place is not in this log */
async function nextBehind(store: EventStore, place: LogPlace): Promise<StoredEvent | undefined> {
  const range = { from: place.position + 1, to: place.position + 2 }
  return (await store.readAll(range, { limit: 1, behind: place })).events[0]
}

/**
 * Whether the log is still the one that was handled up to a place.
 *
 * @param onReplaced called if it is not: a run that follows it has to notice that too
 * @throws StoreError `LOG_REPLACED`
 */
export async function checkStillThere(store: EventStore, place: LogPlace, onReplaced: () => void): Promise<void> {
  try {
    await nextBehind(store, place)
  } catch (error) {
    if (hasCode(error, 'LOG_REPLACED')) onReplaced()
    throw error
  }
}
