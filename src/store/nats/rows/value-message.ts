/** The form of messages that hold rows, checkpoints, snapshots and leases: checked JSON; empty if there is none. */
import { InputError } from '../../../domain/error.ts'
import { readChecked, writeChecked } from '../database/checked-text.ts'
import type { Stored } from '../database/connection.ts'

/** Room for the headers of a message. */
const headerBytes = 1024

/**
 * A value as the content of a message.
 *
 * @param what names the value in the error
 * @throws InputError `DATA_NOT_JSON` if no message could hold it
 */
export function writeValue(what: string, value: unknown, payloadMax: number): string {
  const { data } = writeChecked(value)
  const sizeMax = payloadMax - headerBytes
  if (data.length * 3 <= sizeMax || Buffer.byteLength(data) <= sizeMax) return data
  const found = `${Buffer.byteLength(data)} bytes of JSON, more than the ${sizeMax} that fit in a message of this server`
  throw new InputError('DATA_NOT_JSON', { what, path: '', found })
}

/**
 * @param isGood whether a value has the form that this store writes
 * @returns nothing if the message marks a deletion
 * @throws StoreError `STORE_CORRUPT`
 */
export function readValue<Value>(
  { data }: Stored,
  isGood: (value: unknown) => value is Value,
  place: { readonly store: string; readonly where: string },
): Value | undefined {
  return data.length === 0 ? undefined : readChecked(data, isGood, place).value
}
