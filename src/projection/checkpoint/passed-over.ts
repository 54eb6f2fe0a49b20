/**
 * Events that a previous program passed over because it does not handle their kind. This program handles them first.
 */
import type { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import { passedOverRow } from '../stored/parked-events.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Recognition } from './recognition.ts'

/**
 * Parks the events that were passed over up to the checkpoint.
 *
 * @returns false if this runner was overtaken
 */
export async function parkPassedOver(
  checkpoint: Checkpoint,
  recognition: Recognition,
  environment: Environment,
  breath: Breath,
): Promise<boolean> {
  const { place } = checkpoint
  for await (const events of recognition.passedOver(place.position, breath)) {
    if (events.length === 0) continue
    const rows = events.map((event) => passedOverRow(event, environment.now()))
    if (!(await checkpoint.advance(place, rows, 'durably'))) return false
  }
  return true
}
