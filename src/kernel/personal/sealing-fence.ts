/** Holds a command with personal fields back until the keys of its subjects are stored. */
import { InputError } from '../../domain/error.ts'
import { personalFrom } from '../../domain/personal.ts'
import { personalIn, replacePersonal } from '../../domain/personal-schema.ts'
import type { Schema } from '../../domain/schema.ts'
import { SealedValue } from '../../domain/sealed-value.ts'
import type { CheckedCommand } from '../checked-command.ts'
import type { DispatchOptions } from '../dispatch-options.ts'
import { FixedTime } from '../fixed-time.ts'
import type { KeyRing } from './key-ring.ts'

/** The input of a command, and its personal values. */
interface OwnInput {
  readonly input: unknown
  readonly values: readonly SealedValue[]
}

export const noValues: readonly SealedValue[] = Object.freeze([])

/**
 * The input of a command in which no personal value has the key of another domain. Such values are made again from what
 * they hold.
 *
 * @throws InputError `PERSONAL_PLAIN` for a forgotten value of another domain
 */
export function ownValues(keys: KeyRing, schema: Schema, input: unknown): OwnInput {
  const values = personalIn(schema, input)
  if (values.every((value) => SealedValue.keyOf(value) === undefined)) return { input, values }
  const own = replacePersonal(schema, input, (value, path) => {
    if (!keys.isForeign(value)) return value
    const text = SealedValue.textOf(value)
    if (text === undefined) throw new InputError('PERSONAL_PLAIN', { what: 'The data of a command', path })
    return personalFrom({ subject: value.subject, text })
  })
  return { input: own, values: personalIn(schema, own) }
}

type Fencing = Pick<CheckedCommand, 'fence' | 'isStillClear' | 'isClearAtFirst' | 'time'>

/** Most commands have no fence. */
const noFence: Fencing = Object.freeze({
  fence: undefined,
  isStillClear: undefined,
  isClearAtFirst: true,
  time: undefined,
})

/**
 * The fence of a checked command: what seals its personal fields, and what its sender wants to be asked.
 *
 * @param values its personal values
 */
export function fencing(keys: KeyRing | undefined, values: readonly SealedValue[], options: DispatchOptions): Fencing {
  const own = ownFencing(options)
  if (keys === undefined) return own
  const unsealed = values.every(SealedValue.isUnsealed) ? values : values.filter(SealedValue.isUnsealed)
  if (unsealed.length === 0 && keys.sealNow(unsealed)) return own
  return whenSealed(new Sealing(keys, unsealed), own)
}

function ownFencing({ fence, isStillClear, isClearAtFirst = false }: DispatchOptions): Fencing {
  if (fence === undefined) return isStillClear === undefined ? noFence : { ...noFence, isStillClear }
  // Only reactions have to be asked before the first decision.
  const time = isClearAtFirst ? undefined : new FixedTime()
  const ask = time?.behind(fence) ?? (async () => void (await fence()))
  return { fence: ask, isStillClear, isClearAtFirst, time }
}

function whenSealed(sealing: Sealing, own: Fencing): Fencing {
  const fence = async () => {
    await sealing.finish()
    await own.fence?.()
  }
  const isStillClear = () => sealing.isValid && own.isStillClear?.() !== false
  return { fence, isStillClear, isClearAtFirst: sealing.isDone && own.isClearAtFirst, time: own.time }
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
    for (const value of this.#values) if (value.isForgotten) return false
    return true
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
