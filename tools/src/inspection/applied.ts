/** Applies an event to a state as the library does it, so that what is shown is what a command would be decided on. */
import type { AnyAggregate, RecordedEvent } from '../../../src/index.ts'

/**
 * The state after an event. It is frozen, so an `evolve` that changes its argument fails, and spoils no state that is
 * kept.
 *
 * @throws TypeError if `evolve` returned `undefined`; what `evolve` throws
 */
export function applied(aggregate: AnyAggregate, state: unknown, event: RecordedEvent): unknown {
  // 0, as when the library applies it: no aggregate can depend on a position.
  const next: unknown = aggregate.evolve(state, { ...event, position: 0 })
  if (next === undefined && state !== undefined)
    throw new TypeError(`its .on for ${event.type} returned undefined, and not a state`)
  return frozen(next)
}

/** The state before the first event. */
export const initialState = (aggregate: AnyAggregate): unknown => frozen(aggregate.initial())

/** Freezes records and lists. What is frozen already was returned before, or is a constant of the program. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (!Array.isArray(value) && !isRecord(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}

function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
