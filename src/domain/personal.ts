/**
 * Personal values. A field that is declared as personal holds a `Personal` wherever the program gets it: in commands,
 * events, states and rows. What is stored of it is encrypted with a key of its subject. When the key is destroyed, the
 * value is `forgotten`, everywhere and at once, and nothing has to be built again: folds carry such values, but cannot
 * look into them.
 */
import { decode, encode } from './encoding.ts'
import { type Origin, SealedValue } from './sealed-value.ts'

/** What a personal value reads as after its subject was forgotten. */
export const forgotten: unique symbol = Symbol.for('mneme.forgotten')
export type Forgotten = typeof forgotten

/** For `console.log` in Node. */
const inspected = Symbol.for('nodejs.util.inspect.custom')
/** What is shown in place of a personal value in logs, messages and JSON. */
export const shown = '[personal]'

/**
 * A value that belongs to a person. It cannot be changed. It shows itself as `[personal]` in texts, logs and JSON, so
 * it does not leak by accident.
 *
 *     if (customer.email.value !== forgotten) await sendMail(customer.email.value)
 */
export class Personal<Value> extends SealedValue {
  static {
    Object.defineProperty(Personal.prototype, inspected, { value: () => shown })
  }

  /**
   * The value, or `forgotten`.
   *
   * @throws DefinitionError `PERSONAL_READ` in a fold, a key or tags; StoreError `KEYS_UNCONFIRMED` if the key store
   * has
   *   not answered for so long that another process may have destroyed the key
   */
  get value(): Value | Forgotten {
    const text = SealedValue.read(this)
    return text === undefined ? forgotten : (parsed(text) as Value)
  }

  /**
   * A personal value that does not come from a command or an event, such as the result of a step.
   *
   * @param subject whose it is, as `subject` of a declaration returns it
   * @throws InputError `DATA_NOT_JSON`
   */
  static of<Value>(subject: string, value: Value): Personal<Value> {
    return new Personal({ subject, text: textOf(value) })
  }

  override toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }
}

/** A value as the text that is encrypted. */
export const textOf = (value: unknown): string =>
  JSON.stringify(typeof value === 'string' ? value : encode('A personal value', value))

/** The value, also in a fold; `forgotten` if it is. For the library itself. */
export function plainOf(personal: SealedValue): unknown {
  const text = SealedValue.textOf(personal)
  return text === undefined ? forgotten : parsed(text)
}

/** The value of a text. Most are texts without escapes, for which a parser would cost more than all else here. */
function parsed(text: string): unknown {
  if (text.startsWith('"') && !text.includes('\\')) return text.slice(1, -1)
  return decode(JSON.parse(text))
}

/** A value with the subject and the key of another one. */
export const changed = (personal: SealedValue, value: unknown): Personal<unknown> =>
  new Personal(SealedValue.origin(personal, textOf(value)))

/** A new value of a subject. */
export const personalFrom = (origin: Origin): Personal<unknown> => new Personal(origin)
