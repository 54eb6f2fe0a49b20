/**
 * A single run through the log as it is now. If this process gets the lease, it handles the events. Otherwise it waits
 * for the process that has the lease.
 */
import type { Breath } from '../../runtime/breath.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { EventStore } from '../../store/store.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import type { StepResult } from '../checkpoint/step.ts'
import type { Leader } from './leader.ts'

export interface SingleRunOptions {
  readonly store: Pick<EventStore, 'head'>
  readonly environment: Environment
  readonly breath: Breath
  readonly leader: Leader
  readonly bookmark: Bookmark
  readonly step: () => Promise<StepResult>
  readonly leaseMs: number
}

/**
 * @param tally counts the events that were handled here
 * @returns the position, or nothing if the signal was aborted before
 * @throws ProjectionError `PROJECTION_ELSEWHERE` if the other process makes no progress for longer than a lease
 */
export async function runThrough(
  options: SingleRunOptions,
  tally: { events: number },
  signal: AbortSignal,
): Promise<number | undefined> {
  const { store, environment, breath, leader, bookmark, leaseMs } = options
  const { askAgainMs } = leader
  let end: number | undefined
  let seen = { position: -1, at: 0 }
  for (let caughtUp = false; !caughtUp; ) {
    if (signal.aborted) return undefined
    if (await leader.take()) {
      const step = await options.step()
      tally.events += step.events
      // A step that was cut short has left something, whatever it says.
      caughtUp = step.caughtUp && !signal.aborted
      await breath.pause()
      continue
    }
    end ??= await store.head()
    await bookmark.look()
    const { position } = bookmark
    if (position >= end) return position
    if (position > seen.position) seen = { position, at: environment.elapsed() }
    if (environment.elapsed() - seen.at > leaseMs + askAgainMs) leader.refuse('Running once')
    await sleep(environment, askAgainMs, signal)
  }
  await bookmark.flush()
  return bookmark.position
}
