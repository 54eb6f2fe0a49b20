/** Decides one command on one state by the kernel's own function, without a store and without I/O. */
import type { AnyAggregate } from '../../domain/aggregate.ts'
import type { CommandOptions } from '../../domain/command.ts'
import { checkInput } from '../../domain/command-input.ts'
import { DefinitionError, InputError } from '../../domain/error.ts'
import type { StreamId } from '../../domain/stream.ts'
import { aggregateType } from '../../kernel/aggregate-type.ts'
import type { CheckedCommand } from '../../kernel/checked-command.ts'
import { type Decided, DecisionContext, decide } from '../../kernel/decide.ts'
import { freezeParts } from '../../runtime/freeze.ts'
import { checkMetadata, checkTags } from '../../store/commit.ts'
import { sealInSpec } from './spec-keys.ts'

/** What a command is decided on. */
export interface DecidedOn {
  readonly definition: AnyAggregate
  readonly stream: StreamId
  readonly state: unknown
  readonly sequence: number
  readonly nowMs: number
}

/**
 * Decides a command. New ids are `id-1`, `id-2` and so on.
 *
 * @throws InputError `COMMAND_INVALID`; DefinitionError `SCHEMA_ASYNC`; what `decide` throws
 */
export function decideAlone(
  { definition, stream, state, sequence, nowMs }: DecidedOn,
  name: string,
  given: unknown,
  { commandId, metadata, tags }: Omit<CommandOptions, 'expectedSequence' | 'signal'> & { readonly commandId: string },
): Decided {
  const decision = definition.decisions.get(name)!
  const checked = checkInput('The data of a command', decision.schema, given)
  if (checked === 'async') throw new DefinitionError('SCHEMA_ASYNC', { where: `${definition.name}.${name}` })
  if ('issues' in checked) {
    throw new InputError('COMMAND_INVALID', { aggregate: definition.name, command: name, issues: checked.issues })
  }
  const { value: input, isWhole } = freezeParts(sealInSpec(checked.value))
  const command: CheckedCommand = {
    name,
    decision,
    input,
    isInputOpen: !isWhole,
    commandId,
    repeatable: false,
    mayBeRepeated: false,
    isRepeated: false,
    isClearAtFirst: true,
    isDerived: false,
    mark: { name, digest: 0 },
    metadata: checkMetadata(metadata),
    tags: checkTags(tags),
  }
  let ids = 0
  const limits = { commitSizeMax: Number.POSITIVE_INFINITY, commitEventsMax: Number.POSITIVE_INFINITY }
  const type = aggregateType(definition, {})
  return decide(
    state,
    sequence,
    command,
    new DecisionContext({ type, stream, limits, nowMs, newId: () => `id-${++ids}` }),
  )
}
