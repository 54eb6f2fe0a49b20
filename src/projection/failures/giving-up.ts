/**
 * What becomes of an event, or of a command that it has scheduled, once it has failed as often as the policy says: the
 * projection or reaction stops before it, skips it, or parks it. Here it is said; the stepper saves what it left.
 */
import { ProjectionError } from '../../domain/error.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { StoredEvent } from '../../store/store.ts'
import { calledOf } from './tries.ts'

type Event = Pick<StoredEvent, 'position' | 'type'>

/** An event as it is called in a sentence. */
export const calledEvent = ({ type, position }: Event): string => `${type} at ${position}`

/**
 * The error of one that stands before an event that it cannot handle.
 *
 * @param projection the name of the projection or reaction
 * @param command what the event has scheduled, if it is that which fails
 */
export function stoppedBefore(
  projection: string,
  { position, type: event }: Event,
  cause: unknown,
  command?: string,
): ProjectionError<'PROJECTION_FAILED'> {
  const facts = { projection, position, event, ...(command !== undefined && { command }) }
  return new ProjectionError('PROJECTION_FAILED', facts, cause)
}

/**
 * Warns of what is skipped or parked.
 *
 * @param what what that is, as it is called in a sentence
 */
export function warnOfGivenUp(
  { name, warn }: { readonly name: string; readonly warn: Warn },
  giveUp: 'skip' | 'park',
  what: string,
  cause: unknown,
): void {
  const called = calledOf(name)
  const kind = called.startsWith('reaction') ? 'REACTION' : 'PROJECTION'
  const code = giveUp === 'park' ? (`${kind}_PARKED` as const) : (`${kind}_SKIPPED` as const)
  warn({ code, message: `The ${called} ${giveUp}s ${what}`, cause })
}
