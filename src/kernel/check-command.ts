/** Checks a command that was given to the kernel: its name, its data, its options. Nothing else happens before that. */
import { checkInput, leftOutData } from '../domain/command-input.ts'
import { DefinitionError, InputError } from '../domain/error.ts'
import { nestedTooDeep } from '../domain/own-copy.ts'
import { fieldsOf, hasPersonal } from '../domain/personal-schema.ts'
import type { Schema } from '../domain/schema.ts'
import { freezeParts } from '../runtime/freeze.ts'
import { checkMetadata, checkTags } from '../store/commit.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { CheckedCommand } from './checked-command.ts'
import { checkCallersId } from './command-id.ts'
import { digestOf, digestWithin } from './digest.ts'
import type { DispatchOptions } from './dispatch-options.ts'
import { originOf } from './ownership.ts'
import type { KeyRing } from './personal/key-ring.ts'
import { fencing, noValues, ownValues } from './personal/sealing-fence.ts'

/** The parts of a kernel that its checks need. */
export interface Checking {
  /** The largest data of a command, in characters of JSON. */
  readonly sizeMax: number
  readonly newCommandId: () => string
  /** Whether a command may have to be sent to another process, as it was given. */
  readonly keepsOrigin: boolean
}

const dataOf = 'The data of a command'

/**
 * Checks a command.
 *
 * @param keys seal the personal fields of a command that will be sent
 * @throws InputError `COMMAND_UNKNOWN`, `COMMAND_INVALID`, `COMMAND_TOO_LARGE`, `ID_INVALID`, `DATA_NOT_JSON`;
 *   DefinitionError `SCHEMA_ASYNC`
 */
export function checkCommand(
  { sizeMax, newCommandId, keepsOrigin }: Checking,
  type: AggregateType,
  name: string,
  data: unknown,
  options: DispatchOptions,
  keys?: KeyRing,
): CheckedCommand {
  const decision = type.decisions.get(name)
  if (decision === undefined) {
    const facts = { aggregate: type.name, command: name, known: [...type.decisions.keys()] }
    throw new InputError('COMMAND_UNKNOWN', facts)
  }
  const { schema } = decision
  // First of all, so that no other code has to walk through data that is too large.
  const digest = data === undefined ? undefined : digestOfGiven(type, name, schema, data, sizeMax)
  const checked = checkInput(dataOf, schema, data)
  if (checked === 'async') throw new DefinitionError('SCHEMA_ASYNC', { where: `the command ${type.name}.${name}` })
  if ('issues' in checked) {
    throw new InputError('COMMAND_INVALID', { aggregate: type.name, command: name, issues: checked.issues })
  }
  const own = keys !== undefined && hasPersonal(schema) ? ownValues(keys, schema, checked.value) : undefined
  const input = freezeParts(own === undefined ? checked.value : own.input)
  const { derivedId, ownId, isRepeated = false, commandId = derivedId } = options
  const { fence, isStillClear, isClearAtFirst, time } = fencing(keys, own?.values ?? noValues, options)
  if (options.commandId !== undefined) checkCallersId(options.commandId)
  return {
    name,
    decision,
    input: input.value,
    isInputOpen: !input.isWhole,
    commandId: commandId ?? ownId ?? newCommandId(),
    repeatable: commandId !== undefined || isRepeated,
    mayBeRepeated: commandId !== undefined || ownId !== undefined,
    mark: { name, digest: digest ?? digestOf(leftOutData(schema, checked.value)) },
    isDerived: options.commandId === undefined && derivedId !== undefined,
    fence,
    isStillClear,
    isClearAtFirst,
    time,
    isRepeated,
    expectedSequence: options.expectedSequence,
    metadata: checkMetadata(options.metadata),
    tags: checkTags(options.tags),
    origin: keepsOrigin && options.mayFailMoved !== true ? originOf(data, options, hasPersonal(schema)) : undefined,
  }
}

function digestOfGiven(type: AggregateType, name: string, schema: Schema, data: unknown, sizeMax: number): number {
  // A digest of personal data would let everybody try which data it was.
  const isPersonal = hasPersonal(schema)
  const digest = digestWithin(data, sizeMax, isPersonal ? fieldsOf(schema) : undefined)
  if (digest === 'endless') throw nestedTooDeep(dataOf)
  // Data that is no record may be a text that holds them.
  if (digest !== 'large') return isPersonal && typeof data !== 'object' ? digestOf(undefined) : digest
  throw new InputError('COMMAND_TOO_LARGE', { aggregate: type.name, command: name, sizeMax })
}
