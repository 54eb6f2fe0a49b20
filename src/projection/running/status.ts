/** What can be said of a projection or reaction that runs, and how one waits for it. */
import { hasCode, type MnemeError } from '../../domain/error.ts'
import type { EventStore, LogPlace, StoredEvent } from '../../store/store.ts'
import type { Retrying } from '../failures/tries.ts'

/** Where a run came to. */
export interface RunResult {
  /** The last position that the projection has handled. */
  readonly position: number
  /** The events that this run folded into rows. */
  readonly events: number
}

/** How long a reader waits for a position, and what may end the wait. */
export interface WaitOptions {
  /** Wait until the projection has handled this position: `outcome.position` reads your own write. */
  readonly atLeast?: number
  /** 5,000 by default; after it `PROJECTION_BEHIND` is thrown. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * `preparing`: brings its rows, or its tables, to this program's revision. `running`: follows the log here. `standby`:
 * another process does. `paused`: nobody does until `resume`. `outdated`: stands before an event that is newer than
 * this program, and leaves it to a newer one. `failed`: stands before an event that it cannot handle. `stopped`: not
 * started.
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
   * How far it is behind: in positions, and the age of the oldest event not handled, in milliseconds. The whole log
   * where that is not the one that was handled.
   */
  readonly lag: { readonly events: number; readonly ms: number }
  /** How many events are parked. */
  readonly parked: number
  /** What fails at present and is tried again: an event, or the store. */
  readonly retrying?: Retrying
  /** Why it has failed. */
  readonly failure?: MnemeError
}

/** How far something is behind. */
interface Lag extends Pick<ProjectionStatus, 'head' | 'lag'> {
  /** If the log is another one than was handled: what says so. */
  readonly replaced?: MnemeError
}

/**
 * How far a place is behind the end of the log.
 *
 * @param isFollowed whether somebody follows the log from there, and notices if it is replaced: at its end nothing is
 *   read then
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

/** The event behind a place, if there is one. @throws StoreError `LOG_REPLACED` if the place is not of this log */
export async function nextBehind(store: EventStore, place: LogPlace): Promise<StoredEvent | undefined> {
  const range = { from: place.position + 1, to: place.position + 2 }
  return (await store.readAll(range, { limit: 1, behind: place })).events[0]
}
