/**
 * The ids of commands. A caller who gives none gets one that nobody can guess. Ids that are made here begin with a mark, and callers
 * cannot choose ids that do; they can only repeat a command with the id that it was given, as after an unknown outcome.
 */
import { InputError } from '../domain/error.ts'
import { checkId } from '../domain/stream.ts'
import type { Environment } from './environment.ts'

/** What an id begins with that was not chosen by a caller. */
const ownMark = '~'
/** A command's own id: 122 random bits. */
const ownId = /^~[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A new id for a command whose caller gave none. */
export const newCommandId = (environment: Environment): string => `${ownMark}${environment.newId()}`

/** An id for a command that follows from what causes it, so that the same cause gives the same id. */
export const derivedCommandId = (cause: string): string => `${ownMark}${cause}`

/**
 * Refuses an id that a caller cannot use.
 *
 * @throws InputError `ID_INVALID`
 */
export function checkCallersId(id: unknown): asserts id is string {
  checkId('a command id', id)
  if (!id.startsWith(ownMark) || ownId.test(id)) return
  const reason = `it begins with "${ownMark}", as ids do that are given by the library`
  throw new InputError('ID_INVALID', { what: 'a command id', id, reason })
}
