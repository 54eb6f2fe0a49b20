/** The floor of a durable store: what a round stored is written again by a bare loop, in the same batches. */
import type { Place } from '../setting.ts'
import { replayBytes } from './file.ts'
import { replayInserts } from './postgres.ts'
import { replayRows } from './sqlite.ts'

/** What a bare loop came to. */
export interface Replayed {
  readonly what: string
  readonly commits: number
  readonly seconds: number
  /** One a batch. */
  readonly latenciesMs: readonly number[]
}

/** Runs the floor of a closed store. Memory has none, MongoDB none yet, and a round that stored nothing has none either. */
export async function replay(place: Place): Promise<Replayed | undefined> {
  if (place.batches.length === 0) return undefined
  switch (place.name) {
    case 'file':
      return replayBytes(place)
    case 'sqlite':
      return replayRows(place)
    case 'postgres':
      return replayInserts(place)
    default:
      return undefined
  }
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
