/** Reads commands that come as plain data of unknown origin. */
import type { CommandOptions } from '../domain/command.ts'
import { checkId } from '../domain/id.ts'
import { checkPlainCommand } from '../domain/plain-command.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Kernel } from '../kernel/kernel.ts'

/**
 * Checks a command, and returns its parts.
 *
 * @throws InputError `COMMAND_MALFORMED`, `AGGREGATE_UNKNOWN`, `ID_INVALID`
 */
export function addressed(
  kernel: Kernel,
  command: unknown,
): { readonly stream: StreamId; readonly name: string; readonly data: unknown; readonly options: CommandOptions } {
  checkPlainCommand(command)
  const { aggregate, id, name, data, ...options } = command
  kernel.typeOf(aggregate)
  checkId('the id of an aggregate', id)
  return { stream: Object.freeze({ aggregate, id }), name, data, options }
}
