/**
 * A business "no". It is a value: `decide` returns it, nothing throws it, and its code and details are typed at the
 * caller.
 */
import { brand } from './brand.ts'

/** An expected outcome that is not a fact: a code, and details where the caller needs them. */
export class Rejection<const Code extends string, Details = undefined> {
  static {
    brand(Rejection, 'Rejection')
  }

  readonly code: Code
  readonly details: Details

  constructor(code: Code, details: Details) {
    this.code = code
    this.details = details
    Object.freeze(this)
  }
}

export type AnyRejection = Rejection<string, any>

/**
 * Answers a command with a business "no".
 *
 *     if (amount > balance) return reject('InsufficientFunds', { balance, requested: amount })
 */
export function reject<const Code extends string>(code: Code): Rejection<Code>
export function reject<const Code extends string, Details>(code: Code, details: Details): Rejection<Code, Details>
export function reject(code: string, details?: unknown): AnyRejection {
  return new Rejection(code, details)
}
