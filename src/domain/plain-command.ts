/** Checks commands that come as plain data of unknown origin. */
import type { CommandOptions } from './command.ts'
import { InputError } from './error.ts'
import { isSignal, isWholeFrom, listOf, nearestOf } from './options.ts'

/** A command as plain data. */
export interface PlainCommand extends CommandOptions {
  readonly aggregate: string
  readonly id: string
  readonly name: string
  readonly data?: unknown
}

/** The parts of a command besides its address and data. */
export const commandOptions: readonly (keyof CommandOptions)[] = [
  'commandId',
  'expectedSequence',
  'metadata',
  'tags',
  'signal',
]
const parts: readonly string[] = ['aggregate', 'id', 'name', 'data', ...commandOptions]

/**
 * Refuses a value that is not a command, by its parts and their types. It does not check whether the aggregate and the
 * command exist, or whether ids and data are good.
 *
 * @throws InputError `COMMAND_MALFORMED`
 */
export function checkPlainCommand(command: unknown): asserts command is PlainCommand {
  if (typeof command !== 'object' || command === null) {
    malformed(`it is ${command === null ? 'null' : `of type ${typeof command}`}`)
  }
  for (const part of Object.keys(command)) {
    if (parts.includes(part)) continue
    const nearest = nearestOf(part, parts)
    const instead = nearest === undefined ? `it has ${listOf(parts)}` : `did you mean ${nearest}?`
    malformed(`a command has no part ${JSON.stringify(part.slice(0, 40))} (${instead})`)
  }
  const { aggregate, id, name, expectedSequence, signal } = command as Record<string, unknown>
  if (typeof aggregate !== 'string') malformed('its aggregate is not a string')
  if (typeof id !== 'string') malformed('its id is not a string')
  if (typeof name !== 'string') malformed('its name is not a string')
  if (expectedSequence !== undefined && !isWholeFrom(expectedSequence, 0)) {
    malformed('its expectedSequence is not a whole number from 0')
  }
  if (signal !== undefined && !isSignal(signal)) malformed('its signal is not an AbortSignal')
}

function malformed(reason: string): never {
  throw new InputError('COMMAND_MALFORMED', { reason })
}
