/** What can be said of a projection or reaction that runs, and how one waits for it. */
import type { ProjectionError } from '../domain/error.ts'
import type { Retrying } from './tries.ts'

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
 * `preparing`: brings its rows, or its tables, to this program's revision. `running`: follows the log here. `standby`: another process
 * does. `paused`: nobody does until `resume`. `outdated`: stands before an event that is newer than this program, and leaves it to a newer one.
 * `failed`: stands before an event that it cannot handle. `stopped`: not started.
 */
export type ProjectionState = 'preparing' | 'running' | 'standby' | 'paused' | 'outdated' | 'failed' | 'stopped'

export interface ProjectionStatus {
  readonly name: string
  readonly state: ProjectionState
  /** The last position that is handled. */
  readonly position: number
  /** The log's last position. */
  readonly head: number
  /** How far it is behind: in positions, and the age of the oldest event not handled, in milliseconds. */
  readonly lag: { readonly events: number; readonly ms: number }
  /** How many events are parked. */
  readonly parked: number
  /** What fails at present and is tried again: an event, or the store. */
  readonly retrying?: Retrying
  /** Why it has failed. */
  readonly failure?: ProjectionError
}
