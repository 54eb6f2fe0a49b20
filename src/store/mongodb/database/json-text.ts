/** JSON in a field, as text, which every server returns unchanged. */
import { InputError, StoreError } from '../../../domain/error.ts'
import type { Json } from '../../../domain/json.ts'

/** The greatest size of a text in bytes, so that it fits in a document with everything around it. */
const textBytesMax = 15_000_000

/**
 * A value as text.
 *
 * @param what names the value in the error
 * @throws InputError `DATA_NOT_JSON` if no document could hold it
 */
export function toText(what: string, value: Json): string {
  const text = JSON.stringify(value)
  if (text.length * 3 <= textBytesMax || Buffer.byteLength(text) <= textBytesMax) return text
  const found = `${Buffer.byteLength(text)} bytes of JSON, more than the ${textBytesMax} that fit in a document`
  throw new InputError('DATA_NOT_JSON', { what, path: '', found })
}

/** @throws StoreError `STORE_CORRUPT` if it is not JSON, because another program has changed it */
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
