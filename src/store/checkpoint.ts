/** The parts of checkpoints that are the same in every store: where a projection begins, and how a save compares. */
import { ConflictError } from '../domain/error.ts'
import type { Checkpoint, CheckpointPlace } from './store.ts'

/** The checkpoint before the first step. */
export const noCheckpoint: Checkpoint = Object.freeze({ position: 0, term: 0, note: Object.freeze({}) })

/** @throws ConflictError `CHECKPOINT_CONFLICT` if a checkpoint is not where the step began */
export function checkCheckpoint(projection: string, expected: CheckpointPlace, actual: CheckpointPlace): void {
  if (expected.position === actual.position && expected.term === actual.term) return
  throw checkpointConflict(projection, expected, actual)
}

function checkpointConflict(
  projection: string,
  { position, term }: CheckpointPlace,
  actual: CheckpointPlace,
): ConflictError<'CHECKPOINT_CONFLICT'> {
  return new ConflictError('CHECKPOINT_CONFLICT', {
    projection,
    expected: { position, term },
    actual: { position: actual.position, term: actual.term },
  })
}
