/**
 * One run through what is in the log now: by this process if it can have the lease, else by the one that has it, which
 * is waited for.
 */
import type { Breath } from '../../runtime/breath.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { EventStore } from '../../store/store.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import type { StepResult } from '../checkpoint/step.ts'
import type { Leader } from './leader.ts'
import type { RunResult } from './status.ts'

export interface SingleRunOptions {
  readonly store: Pick<EventStore, 'head'>
  readonly environment: Environment
  readonly breath: Breath
  readonly leader: Leader
  readonly bookmark: Bookmark
  readonly step: () => Promise<StepResult>
  readonly leaseMs: number
  /** How soon to ask for the lease again. */
  readonly askAgainMs: number
}

/** @throws ProjectionError `PROJECTION_ELSEWHERE` if the other process comes no further for longer than a lease */
export async function runThrough(options: SingleRunOptions, signal: AbortSignal): Promise<RunResult> {
  const { store, environment, breath, leader, bookmark, leaseMs, askAgainMs } = options
  let events = 0
  let end: number | undefined
  let seen = { position: -1, at: 0 }
  for (let caughtUp = false; !caughtUp && !signal.aborted; ) {
    if (await leader.take()) {
      const step = await options.step()
      events += step.events
      caughtUp = step.caughtUp
      await breath.pause()
      continue
    }
    end ??= await store.head()
    await bookmark.look()
    const { position } = bookmark
    if (position >= end) return { position, events }
    if (position > seen.position) seen = { position, at: environment.elapsed() }
    if (environment.elapsed() - seen.at > leaseMs + askAgainMs) leader.refuse('Running it once')
    await sleep(environment, askAgainMs, signal)
  }
  await bookmark.flush()
  return { position: bookmark.position, events }
}
