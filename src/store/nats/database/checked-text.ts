/**
 * The content of messages: eight hexadecimal digits of a CRC-32, and the JSON of which it is. It finds accidents; it is
 * no defence against a person who changes messages on purpose. What another program has written is damage as well, even
 * if its checksum is right.
 */
import { crc32 } from 'node:zlib'
import { StoreError } from '../../../domain/error.ts'

/** A content and its checksum. */
export interface Written {
  readonly data: string
  readonly checksum: number
}

const checksumLength = 8
const noChecksum = '0'.repeat(checksumLength)
const decoder = new TextDecoder()

export function writeChecked(value: unknown): Written {
  const text = JSON.stringify(value)
  const checksum = crc32(text)
  return { data: checksum.toString(16).padStart(checksumLength, '0') + text, checksum }
}

/** The same in bytes, which are made once. */
export function writeCheckedBytes(value: unknown): { readonly data: Uint8Array; readonly checksum: number } {
  const data = Buffer.from(noChecksum + JSON.stringify(value))
  const checksum = crc32(data.subarray(checksumLength))
  data.write(checksum.toString(16).padStart(checksumLength, '0'), 'latin1')
  return { data, checksum }
}

/**
 * @param isGood whether a value has the form that this store writes
 * @throws StoreError `STORE_CORRUPT` if the checksum is not that of the text, or the value has another form
 */
export function readChecked<Value>(
  data: Uint8Array,
  isGood: (value: unknown) => value is Value,
  { store, where }: { readonly store: string; readonly where: string },
): { readonly value: Value; readonly checksum: number } {
  const damaged = (reason: string): StoreError => new StoreError('STORE_CORRUPT', { store, where, reason })
  const checksum = Number.parseInt(decoder.decode(data.subarray(0, checksumLength)), 16)
  const bytes = data.subarray(checksumLength)
  if (crc32(bytes) !== checksum) throw damaged('its checksum is wrong')
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(bytes))
  } catch {
    throw damaged('it is not JSON')
  }
  if (!isGood(value)) throw damaged('it has another form than the store writes')
  return { value, checksum }
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isText = (value: unknown): value is string => typeof value === 'string'

export const isWhole = (value: unknown, least = 0): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least
