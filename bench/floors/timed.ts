/** What every floor tells, and how its rounds are timed. */
import type { Place } from '../setting.ts'

/** What a bare loop came to. */
export interface Replayed {
  readonly what: string
  readonly commits: number
  readonly seconds: number
  /** One a batch. */
  readonly latenciesMs: readonly number[]
}

/** Runs a bare step a batch, and takes the time of each. */
export async function timed(
  what: string,
  place: Place,
  step: (index: number) => void | Promise<void>,
): Promise<Replayed> {
  const latenciesMs: number[] = []
  let commits = 0
  const startedAt = performance.now()
  let begunAt = startedAt
  for (const [index, batch] of place.batches.entries()) {
    const stepping = step(index)
    if (stepping !== undefined) await stepping
    commits += batch.commits
    const endedAt = performance.now()
    latenciesMs.push(endedAt - begunAt)
    begunAt = endedAt
  }
  return { what, commits, seconds: (begunAt - startedAt) / 1000, latenciesMs }
}
