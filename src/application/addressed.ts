/** Commands given as plain data of unknown origin. */
import type { CommandOptions } from '../domain/command.ts'
import { InputError } from '../domain/error.ts'
import { checkId, type StreamId } from '../domain/stream.ts'
import type { Kernel } from '../kernel/kernel.ts'

/**
 * A command's parts.
 *
 * @throws InputError `COMMAND_MALFORMED`, `AGGREGATE_UNKNOWN`, `ID_INVALID`
 */
export function addressed(
  kernel: Kernel,
  command: unknown,
): { readonly stream: StreamId; readonly name: string; readonly data: unknown; readonly options: CommandOptions } {
  if (typeof command !== 'object' || command === null) {
    throw new InputError('COMMAND_MALFORMED', {
      reason: `it is ${command === null ? 'null' : `of type ${typeof command}`}`,
    })
  }
  const { aggregate, id, name, data, ...options } = command as Record<string, unknown>
  for (const [part, value] of Object.entries({ aggregate, id, name })) {
    if (typeof value !== 'string') throw new InputError('COMMAND_MALFORMED', { reason: `its ${part} is not a string` })
  }
  kernel.typeOf(aggregate as string)
  checkId('the id of an aggregate', id)
  return { stream: Object.freeze({ aggregate: aggregate as string, id }), name: name as string, data, options }
}
