/** Holds a command with personal fields back until the keys of its subjects are stored. */
import { InputError } from '../../domain/error.ts'
import { personalFrom } from '../../domain/personal.ts'
import { replacePersonal, unsealedIn } from '../../domain/personal-schema.ts'
import type { Schema } from '../../domain/schema.ts'
import { SealedValue } from '../../domain/sealed-value.ts'
import type { CheckedCommand } from '../checked-command.ts'
import type { DispatchOptions, Fence } from '../dispatch-options.ts'
import type { KeyRing } from './key-ring.ts'

/**
 * The input of a command in which no personal value has the key of another domain. Such values are made again from what
 * they hold.
 *
 * @throws InputError `PERSONAL_PLAIN` for a forgotten value of another domain
 */
export function ownValues(keys: KeyRing, schema: Schema, input: unknown): unknown {
  return replacePersonal(schema, input, (value, path) => {
    if (!keys.isForeign(value)) return value
    const text = SealedValue.textOf(value)
    if (text === undefined) throw new InputError('PERSONAL_PLAIN', { what: 'The data of a command', path })
    return personalFrom({ subject: value.subject, text })
  })
}

/** The fence of a checked command: what seals its personal fields, and what its sender wants to be asked. */
export function fencing(
  keys: KeyRing | undefined,
  schema: Schema,
  input: unknown,
  { fence: own, isStillClear, isClearAtFirst = false }: DispatchOptions,
): Pick<CheckedCommand, 'fence' | 'isStillClear' | 'isClearAtFirst'> {
  const fence = keys === undefined ? own : sealingFence(keys, schema, input, own)
  return { fence, isStillClear, isClearAtFirst: fence === undefined || (fence === own && isClearAtFirst) }
}

/**
 * Seals the personal fields of a command. If their keys are in memory, as usual, that is done at once. Otherwise the
 * keys are loaded while the aggregate is, and a fence waits for them.
 *
 * @param fence the fence that the command has besides
 */
function sealingFence(keys: KeyRing, schema: Schema, input: unknown, fence: Fence | undefined): Fence | undefined {
  const unsealed = unsealedIn(schema, input)
  if (keys.sealNow(unsealed)) return fence
  const sealed = keys.seal(unsealed)
  sealed.catch(() => {})
  return async () => {
    await sealed
    await keys.confirm()
    await fence?.()
  }
}
