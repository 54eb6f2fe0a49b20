/**
 * What happens to an event, or to a command that it scheduled, after it has failed as often as the policy allows. The
 * projection or reaction stops before it, skips it, or parks it. This file makes the error and the warning; the stepper
 * saves the rows.
 */
import { ProjectionError } from '../../domain/error.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { StoredEvent } from '../../store/store.ts'
import { calledOf } from './tries.ts'

type Event = Pick<StoredEvent, 'position' | 'type'>

/** The name of an event in a sentence. */
export const calledEvent = ({ type, position }: Event): string => `${type} at ${position}`

/**
 * The error of a projection or reaction that stops before an event that it cannot handle.
 *
 * @param projection the name of the projection or reaction
 * @param command the scheduled command of the event, if that fails and not the event
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
 * Warns that an event or a command is skipped or parked.
 *
 * @param what the name of the event or the command in a sentence
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
  warn({ code, message: `The ${called} ${giveUp}s ${what}`, cause, follower: called })
}
