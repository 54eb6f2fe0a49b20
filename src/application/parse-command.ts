/**
 * Reads a command from data that comes from outside, such as the body of a request. Only the parts that a client may
 * choose are accepted. Metadata and tags say who sent a command and why, so the program adds them itself.
 */
import { InputError } from '../domain/error.ts'
import { ownCopy } from '../domain/own-copy.ts'
import type { PlainCommand } from '../domain/plain-command.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { addressed } from './addressed.ts'

/** The parts of a command that are not the client's to choose. */
const ownParts = ['metadata', 'tags', 'signal'] as const

/**
 * Checks a command completely, as `dispatch` would, and returns a copy of it.
 *
 * @throws InputError `COMMAND_MALFORMED`, `AGGREGATE_UNKNOWN`, `COMMAND_UNKNOWN`, `ID_INVALID`, `COMMAND_INVALID`,
 *   `COMMAND_TOO_LARGE`, `DATA_NOT_JSON`
 */
export function parseCommand(kernel: Kernel, untrusted: unknown): PlainCommand {
  const { stream, name, data, options } = addressed(kernel, untrusted)
  const own = ownParts.find((part) => options[part] !== undefined)
  if (own !== undefined) {
    const reason = `${own} cannot come from outside. Add it to the command that parseCommand returns`
    throw new InputError('COMMAND_MALFORMED', { reason })
  }
  kernel.check(stream, name, data, options)
  const { commandId, expectedSequence } = options
  return {
    aggregate: stream.aggregate,
    id: stream.id,
    name,
    ...(data !== undefined && { data: ownCopy('The data of a command', data) }),
    ...(commandId !== undefined && { commandId }),
    ...(expectedSequence !== undefined && { expectedSequence }),
  }
}
