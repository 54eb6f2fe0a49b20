/** Holds a command with personal fields back until the keys of its subjects are stored. */
import { unsealedIn } from '../../domain/personal-schema.ts'
import type { Schema } from '../../domain/schema.ts'
import type { Fence } from '../checked-command.ts'
import type { KeyRing } from './key-ring.ts'

/**
 * Seals the personal fields of a command. If their keys are in memory, as usual, that is done at once. Otherwise the
 * keys are loaded while the aggregate is, and a fence waits for them.
 *
 * @param fence the fence that the command has besides
 */
export function sealingFence(
  keys: KeyRing,
  schema: Schema,
  input: unknown,
  fence: Fence | undefined,
): Fence | undefined {
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
