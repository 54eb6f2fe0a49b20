/** What a failing expectation of a spec says: what was tried, what was expected, what came, and the difference. */
import assert, { AssertionError } from 'node:assert/strict'
import { inspect } from 'node:util'
import { decode, encode } from '../../domain/encoding.ts'
import { revealed, sealInSpec } from './spec-keys.ts'

/** A value in a message. */
export const shown = (value: unknown): string => inspect(revealed(value), { depth: 6, breakLength: 100, sorted: true })

/**
 * Fails.
 *
 * @param tried what was tried, such as a command on a state
 * @param from the stack begins at the caller of this function
 */
export function fail(tried: string, expected: string, actual: string, from: Function): never {
  const message = `${tried}\nexpected: ${expected}\nactual:   ${actual}`
  throw new AssertionError({ message, actual, expected, operator: 'spec', stackStartFn: from })
}

/** A value as it is after it was stored: without properties that are `undefined`. @throws InputError `DATA_NOT_JSON` */
export const asStored = (value: unknown): unknown =>
  value === undefined ? undefined : decode(encode('The expected value', sealInSpec(value)))

/** Deep equality that ignores the order of keys. A failure shows both sides and the difference. */
export function compare(tried: string, what: string, found: unknown, wanted: unknown, from: Function): void {
  const [actual, expected] = [revealed(found), revealed(wanted)]
  try {
    assert.deepEqual(actual, expected)
  } catch (difference) {
    if (!(difference instanceof AssertionError)) throw difference
    const sides = `expected: ${what} ${shown(expected)}\nactual:   ${what} ${shown(actual)}`
    const message = `${tried}\n${sides}\n${difference.message}`
    throw new AssertionError({ message, actual, expected, operator: 'deepStrictEqual', stackStartFn: from })
  }
}
