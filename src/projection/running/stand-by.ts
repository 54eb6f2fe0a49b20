/** Waiting while another process leads. */
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import type { Follower } from '../log/tail.ts'
import type { PositionWaiters } from './position-waiters.ts'

/** How soon it looks again how far the other process is: less often as long as nothing happens. */
const lookLeastMs = 5
const lookMostMs = 100

export interface StandingBy {
  readonly environment: Environment
  readonly bookmark: Bookmark
  readonly waiters: PositionWaiters
  readonly follower: Follower
  /** A signal that is aborted when a reader begins to wait for a position. */
  readonly asked: () => AbortSignal
}

/**
 * Waits for some time. If readers wait, it reads meanwhile how far the other process is, because nothing tells this
 * process that the other one has saved a step.
 */
export async function standBy(
  { environment, bookmark, waiters, follower, asked }: StandingBy,
  restMs: number,
  signal: AbortSignal,
): Promise<void> {
  const end = environment.elapsed() + restMs
  let lookMs = lookLeastMs
  for (let mostMs = restMs; mostMs > 0 && !signal.aborted; mostMs = end - environment.elapsed()) {
    const { nearest } = waiters
    if (nearest === undefined) {
      lookMs = lookLeastMs
      await sleep(environment, mostMs, asked(), { background: true })
      continue
    }
    follower.mark()
    await bookmark.look(nearest)
    const wait = { examined: () => bookmark.position, mostMs: Math.min(mostMs, lookMs) }
    lookMs = (await follower.wait(signal, wait)) ? lookLeastMs : Math.min(2 * lookMs, lookMostMs)
  }
}
