/** The epoch of an owner (`ownership.ts`), in the metadata of the events that it has decided. */
import type { JsonObject } from '../domain/json.ts'

let lastBefore: JsonObject | undefined
let lastAfter: JsonObject = {}

/** The metadata of events that were decided in an epoch. Most commands have none of their own, so it is made once. */
export function withEpoch(metadata: JsonObject, epoch: number): JsonObject {
  if (metadata === lastBefore && lastAfter['clusterEpoch'] === epoch) return lastAfter
  lastBefore = metadata
  lastAfter = Object.freeze({ ...metadata, clusterEpoch: epoch })
  return lastAfter
}
