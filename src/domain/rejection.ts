/** A business "no". It is a value that `decide` returns and does not throw. Callers get its code and details typed. */
import { brand } from './brand.ts'

/** A rejection: a code, and details if the caller needs them. */
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
 * Makes a rejection, for `decide` to return.
 *
 *     if (amount > balance) return reject('InsufficientFunds', { balance, requested: amount })
 */
export function reject<const Code extends string>(code: Code): Rejection<Code>
export function reject<const Code extends string, Details>(code: Code, details: Details): Rejection<Code, Details>
export function reject(code: string, details?: unknown): AnyRejection {
  return new Rejection(code, details)
}
