/** The floor of a durable store: what a round stored is written again by a bare loop, in the same batches. */
import type { Place } from '../setting.ts'
import { replayBytes } from './file.ts'
import { replayRows } from './sqlite.ts'

/** What a bare loop came to. */
export interface Replayed {
  readonly what: string
  readonly commits: number
  readonly seconds: number
  /** One a batch. */
  readonly latenciesMs: readonly number[]
}

/** Runs the floor of a closed store; memory has none, nor has a round that stored nothing. */
export async function replay(place: Place): Promise<Replayed | undefined> {
  if (place.name === 'memory' || place.batches.length === 0) return undefined
  return place.name === 'file' ? replayBytes(place) : replayRows(place)
}

/** Runs a bare step a batch, and takes the time of each. */
export function timed(what: string, place: Place, step: (index: number) => void): Replayed {
  const latenciesMs: number[] = []
  let commits = 0
  const startedAt = performance.now()
  let begunAt = startedAt
  for (const [index, batch] of place.batches.entries()) {
    step(index)
    commits += batch.commits
    const endedAt = performance.now()
    latenciesMs.push(endedAt - begunAt)
    begunAt = endedAt
  }
  return { what, commits, seconds: (begunAt - startedAt) / 1000, latenciesMs }
}
