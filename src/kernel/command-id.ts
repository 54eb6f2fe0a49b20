/**
 * The ids of commands. If the caller gives none, the library makes one that cannot be guessed. Ids made by the library
 * begin with a mark. Callers cannot choose such ids; they can only repeat a command with the id that it was given, for
 * instance after an unknown outcome.
 */
import { InputError } from '../domain/error.ts'
import { checkId } from '../domain/id.ts'
import { digestOf } from './digest.ts'

/** The first character of ids that the library makes. */
const ownMark = '~'
/** An id made by `Environment.newCommandId`. */
const ownId = /^~[\w-]{22}$/

/** The cause of a reaction's command. It distinguishes the command from all others to the same aggregate. */
export interface CommandCause {
  readonly reaction: string
  /** The position of the event. */
  readonly position: number
  /** The command's name. */
  readonly command: string
  /** The number of this command among those of the same name to the same aggregate, from 1. */
  readonly nth: number
  readonly how: 'sent' | 'scheduled' | 'step'
}

/**
 * Makes the id of a reaction's command from its cause. The same cause gives the same id, and different causes give
 * different ids. A colon separates the parts; colons within names are escaped.
 */
export function derivedCommandId({ reaction, position, command, nth, how }: CommandCause): string {
  const scheduled = how === 'sent' ? '' : `:${how}`
  const number = nth === 1 ? '' : `:${nth}`
  return `${ownMark}${part(reaction)}:${position}:${part(command)}${scheduled}${number}`
}

/** The longest name that is put into an id unchanged, in bytes. Two such names and the rest fit into an id. */
const partBytesMax = 480
const encoder = new TextEncoder()

/** A name as a part of an id. A long name becomes two digests after `%#`, which no short name contains. */
function part(name: string): string {
  const text = name.replaceAll('%', '%25').replaceAll(':', '%3A')
  if (text.length * 3 <= partBytesMax || encoder.encode(text).length <= partBytesMax) return text
  return `%#${digestOf([name]).toString(36)}-${digestOf([name, name.length]).toString(36)}`
}

/**
 * Refuses an id that a caller cannot use.
 *
 * @throws InputError `ID_INVALID`
 */
export function checkCallersId(id: unknown): asserts id is string {
  checkId('a command id', id)
  if (!id.startsWith(ownMark) || ownId.test(id)) return
  const reason = `only ids made by the library begin with "${ownMark}"; leave the id out, or put a text before it`
  throw new InputError('ID_INVALID', { what: 'a command id', id, reason })
}
