/** Applies one event to a state, both when it is decided and when it is loaded. */
import type { Fold } from '../domain/aggregate.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { carryingWith } from '../domain/sealed-value.ts'

/**
 * The state after an event.
 *
 * @throws TypeError if `evolve` returned `undefined` although there was a state; what `evolve` throws
 */
export function evolved({ evolve, kind }: Fold, state: unknown, event: RecordedEvent): unknown {
  const next = carryingWith(evolve, state, event.data, event)
  if (next === undefined && state !== undefined) {
    throw new TypeError(`its .on for ${kind.type} returned undefined, and not a state; return null for "no state"`)
  }
  return next
}
