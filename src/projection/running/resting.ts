/** The rest of a projection or reaction that is paused. */
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import type { Pausing } from '../checkpoint/pausing.ts'
import type { Leader } from './leader.ts'

export interface RestOptions {
  readonly environment: Environment
  readonly pausing: Pausing
  readonly bookmark: Bookmark
  readonly leader: Leader
  /** Called when it is paused. Its signal ends the wait before the pause is looked for again. */
  readonly onPaused: () => AbortSignal
}

/**
 * Handles nothing as long as it is paused. Handlers that are at work may end. Then nobody leads, so anybody may decide
 * about what is parked.
 */
export async function restWhilePaused(options: RestOptions, signal: AbortSignal): Promise<void> {
  const { environment, pausing, bookmark, leader, onPaused } = options
  let released: Promise<void> | undefined
  while (!signal.aborted && (await pausing.look()) !== undefined) {
    const roused = onPaused()
    // Who has stopped it meanwhile has not ended this wait.
    if (signal.aborted) break
    if (released === undefined) await bookmark.flush()
    released ??= leader.releaseSaved()
    await sleep(environment, leader.askAgainMs, roused, { background: true })
  }
  await released
}
