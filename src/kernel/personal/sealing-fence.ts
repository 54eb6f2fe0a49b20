/** Holds a command with personal fields back until the keys of its subjects are stored. */
import { InputError } from '../../domain/error.ts'
import { personalFrom } from '../../domain/personal.ts'
import { replacePersonal, unsealedIn } from '../../domain/personal-schema.ts'
import type { Schema } from '../../domain/schema.ts'
import { SealedValue } from '../../domain/sealed-value.ts'
import type { CheckedCommand } from '../checked-command.ts'
import type { DispatchOptions } from '../dispatch-options.ts'
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

type Fencing = Pick<CheckedCommand, 'fence' | 'isStillClear' | 'isClearAtFirst'>

/** Most commands have no fence. */
const noFence: Fencing = Object.freeze({ fence: undefined, isStillClear: undefined, isClearAtFirst: true })

/** The fence of a checked command: what seals its personal fields, and what its sender wants to be asked. */
export function fencing(keys: KeyRing | undefined, schema: Schema, input: unknown, options: DispatchOptions): Fencing {
  if (keys !== undefined) {
    const unsealed = unsealedIn(schema, input)
    if (unsealed.length > 0 || !keys.sealNow(unsealed)) return whenSealed(new Sealing(keys, unsealed), options)
  }
  const { fence, isStillClear, isClearAtFirst = false } = options
  if (fence === undefined && isStillClear === undefined) return noFence
  return { fence, isStillClear, isClearAtFirst: fence === undefined || isClearAtFirst }
}

function whenSealed(
  sealing: Sealing,
  { fence: own, isStillClear: isOwnClear, isClearAtFirst = false }: DispatchOptions,
): Fencing {
  const fence = async () => {
    await sealing.finish()
    await own?.()
  }
  const isStillClear = () => sealing.isValid && isOwnClear?.() !== false
  return { fence, isStillClear, isClearAtFirst: sealing.isDone && (own === undefined || isClearAtFirst) }
}

/**
 * Seals the personal fields of a command. If their keys are in memory, as usual, that is done at once. Otherwise the
 * keys are loaded while the aggregate is, and a fence waits for them.
 *
 * Somebody may be forgotten while the command waits. It then counts as one that came afterwards: its fields are sealed
 * again, with a new key. Else it would be decided on data that nobody has sent, since they would read as forgotten.
 */
class Sealing {
  readonly #keys: KeyRing
  readonly #values: readonly SealedValue[]
  readonly #texts: readonly string[]
  readonly #begun: Promise<void> | undefined

  constructor(keys: KeyRing, values: readonly SealedValue[]) {
    this.#keys = keys
    this.#values = values
    this.#texts = values.map((value) => SealedValue.textOf(value)!)
    if (keys.sealNow(values)) return
    this.#begun = keys.seal(values)
    this.#begun.catch(() => {})
  }

  /** Whether nothing has to be waited for. */
  get isDone(): boolean {
    return this.#begun === undefined
  }

  /** Whether no key was destroyed since. */
  get isValid(): boolean {
    return !this.#values.some(({ isForgotten }) => isForgotten)
  }

  async finish(): Promise<void> {
    await this.#begun
    for (const [i, value] of this.#values.entries()) {
      if (value.isForgotten) SealedValue.renew(value, this.#texts[i]!)
    }
    await this.#keys.seal(this.#values)
    await this.#keys.confirm()
  }
}
