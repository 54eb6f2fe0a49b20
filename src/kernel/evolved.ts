/** One event on one state, whether it was just decided or is read again: what `evolve` gives has to be a state. */
import type { Fold } from '../domain/aggregate.ts'
import type { RecordedEvent } from '../domain/event.ts'

/**
 * The state after an event.
 *
 * @throws TypeError where there was a state and `evolve` gives none; what `evolve` throws
 */
export function evolved({ evolve, kind }: Fold, state: unknown, event: RecordedEvent): unknown {
  const next = evolve(state, event.data, event)
  if (next === undefined && state !== undefined) {
    throw new TypeError(
      `its .on for ${kind.type} returned undefined, and not a state; where there is none, let it be null`,
    )
  }
  return next
}
