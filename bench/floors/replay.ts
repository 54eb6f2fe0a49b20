/** The floor of a durable store: what a round stored is written again by a bare loop, in the same batches. */
import type { Place } from '../setting.ts'
import { replayBytes } from './file.ts'
import { replayBatches } from './nats.ts'
import { replayInserts } from './postgres.ts'
import { replayRows } from './sqlite.ts'
import type { Replayed } from './timed.ts'

/**
 * Runs the floor of a closed store. Memory has none, MongoDB none yet, and a round that stored nothing has none either.
 */
export async function replay(place: Place): Promise<Replayed | undefined> {
  if (place.batches.length === 0) return undefined
  switch (place.name) {
    case 'file':
      return replayBytes(place)
    case 'sqlite':
      return replayRows(place)
    case 'postgres':
      return replayInserts(place)
    case 'nats':
      return replayBatches(place)
    default:
      return undefined
  }
}
