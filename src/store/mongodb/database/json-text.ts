/** JSON as it is kept in a field: as text, which comes back to the last bit from every server. */
import { InputError, StoreError } from '../../../domain/error.ts'
import type { Json } from '../../../domain/json.ts'

/** What a text may have in bytes, to fit in a document with all that is around it. */
const textBytesMax = 15_000_000

/**
 * A value as text.
 *
 * @param what what it is, for the error
 * @throws InputError `DATA_NOT_JSON` if no document could hold it
 */
export function toText(what: string, value: Json): string {
  const text = JSON.stringify(value)
  if (text.length * 3 <= textBytesMax || Buffer.byteLength(text) <= textBytesMax) return text
  const found = `${Buffer.byteLength(text)} bytes of JSON, more than the ${textBytesMax} that fit in a document`
  throw new InputError('DATA_NOT_JSON', { what, path: '', found })
}

/** @throws StoreError `STORE_CORRUPT`: only what was changed behind the store's back is not JSON */
export function fromText<Value = Json>(text: string, store: string, where: string): Value {
  try {
    return JSON.parse(text) as Value
  } catch (error) {
    throw new StoreError('STORE_CORRUPT', {
      store,
      where,
      reason: error instanceof Error ? error.message : String(error),
    })
  }
}
