/**
 * Ownership of streams, for processes that share a store and divide the work. It saves conflicts and loads. It does not
 * make answers true: the store's expectations and the looks do that, whoever decides.
 *
 * After each load, the process asks whether it still owns the stream. The question comes after the load because then no
 * later owner has stored any of the events that were loaded. If a later owner stores something after the question, the
 * next append conflicts, and the stream is loaded again. So the epochs of a stream's events never go down.
 */
import type { JsonObject } from '../domain/json.ts'
import type { StreamId } from '../domain/stream.ts'

export interface Ownership {
  /** Rises whenever streams get other owners. The metadata of every event names it. */
  readonly epoch: number
  /**
   * Whether this process owns a stream, as the store says at some moment after this call.
   *
   * @throws StoreError
   */
  confirm(stream: StreamId): Promise<boolean>
}

/** The metadata of events that were decided in an epoch. */
export const withEpoch = (metadata: JsonObject, epoch: number): JsonObject =>
  Object.freeze({ ...metadata, clusterEpoch: epoch })

/** A command was not decided here, because another process owns its stream. It can be sent there. */
export class Moved extends Error {
  override readonly name = 'Moved'
}
