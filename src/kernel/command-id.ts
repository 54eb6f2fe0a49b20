/**
 * The ids of commands. A caller who gives none gets one that nobody can guess. Ids that are made here begin with a
 * mark, and callers cannot choose ids that do; they can only repeat a command with the id that it was given, as after
 * an unknown outcome.
 */
import { InputError } from '../domain/error.ts'
import { checkId } from '../domain/id.ts'
import { digestOf } from './digest.ts'

/** What an id begins with that was not chosen by a caller. */
const ownMark = '~'
/** A command's own id (`Environment.newCommandId`). */
const ownId = /^~[\w-]{22}$/

/** What causes a command of a reaction: enough to tell it from each other one to the same aggregate. */
export interface CommandCause {
  readonly reaction: string
  /** Of the event. */
  readonly position: number
  /** The command's name. */
  readonly command: string
  /** The how manyth of this name to the same aggregate, from 1. */
  readonly nth: number
  readonly how: 'sent' | 'scheduled'
}

/**
 * An id for a command that follows from what causes it: the same cause gives the same id, and each other cause another
 * one. Names are written so that none holds the colon, which separates the parts.
 */
export function derivedCommandId({ reaction, position, command, nth, how }: CommandCause): string {
  const scheduled = how === 'scheduled' ? ':scheduled' : ''
  const number = nth === 1 ? '' : `:${nth}`
  return `${ownMark}${part(reaction)}:${position}:${part(command)}${scheduled}${number}`
}

/** The longest name that stands in an id as it is, in bytes: two of them and the rest fit into one. */
const partBytesMax = 480
const encoder = new TextEncoder()

/** A name as a part of an id. A long one is told by two digests, behind what no shorter one has in it. */
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
  const reason = `it begins with "${ownMark}", as ids do that are given by the library; leave it out, or put a text before it`
  throw new InputError('ID_INVALID', { what: 'a command id', id, reason })
}
