/** Checks ids, names, keys and tags. */
import { InputError } from './error.ts'

/** The longest name, id, key or tag, in bytes of UTF-8. */
const idBytesMax = 1024

const encoder = new TextEncoder()

/**
 * Refuses a text that some store could not keep, or could not distinguish from another one: an empty text, one of more
 * than 1,024 bytes, one with a lone surrogate (it has no form in UTF-8, so two ids would become one), or one with a
 * null character (PostgreSQL cannot store it). Every other text is a good id.
 *
 * @throws InputError `ID_INVALID`
 */
export function checkId(what: string, id: unknown, bytesMax: number = idBytesMax): asserts id is string {
  const reason = reasonAgainst(id, bytesMax)
  if (reason !== undefined) throw new InputError('ID_INVALID', { what, id, reason })
}

function reasonAgainst(id: unknown, bytesMax: number): string | undefined {
  if (typeof id !== 'string') return `it is of type ${typeof id}, not a string`
  if (id.length === 0) return 'it is empty'
  if (id.length * 3 > bytesMax && (id.length > bytesMax || encoder.encode(id).length > bytesMax))
    return `it is longer than ${bytesMax} bytes of UTF-8`
  if (!id.isWellFormed()) return 'it holds a lone surrogate'
  if (id.includes('\0')) return 'it holds a null character'
  return undefined
}
