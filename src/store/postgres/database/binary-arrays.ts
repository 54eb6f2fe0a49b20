/**
 * Arrays in PostgreSQL's binary form. Texts need not be escaped here and parsed there. For JSON, which is full of
 * quotes, that is most of the cost of sending it.
 */

const oids = { integer: 23, bigint: 20, boolean: 16, text: 25 } as const
const headerSize = 20
const nullLength = -1

function header(oid: number, count: number, hasNull: boolean, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(headerSize + size)
  buffer.writeInt32BE(1, 0)
  buffer.writeInt32BE(hasNull ? 1 : 0, 4)
  buffer.writeInt32BE(oid, 8)
  buffer.writeInt32BE(count, 12)
  buffer.writeInt32BE(1, 16)
  return buffer
}

/** The engine writes numbers through a view in one step. The methods of a buffer check each of them. */
const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView => new DataView(buffer, byteOffset, byteLength)

export function integers(values: readonly number[]): Buffer {
  const buffer = header(oids.integer, values.length, false, values.length * 8)
  const view = viewOf(buffer)
  for (let i = 0; i < values.length; i++) {
    const at = headerSize + i * 8
    view.setInt32(at, 4)
    view.setInt32(at + 4, values[i]!)
  }
  return buffer
}

/** Whole numbers up to the safe limit. */
export function bigints(values: readonly number[]): Buffer {
  const buffer = header(oids.bigint, values.length, false, values.length * 12)
  const view = viewOf(buffer)
  for (let i = 0; i < values.length; i++) {
    const at = headerSize + i * 12
    const value = values[i]!
    view.setInt32(at, 8)
    view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000))
    view.setInt32(at + 8, value)
  }
  return buffer
}

export function booleans(values: readonly boolean[]): Buffer {
  const buffer = header(oids.boolean, values.length, false, values.length * 5)
  let at = headerSize
  for (const value of values) {
    buffer.writeInt32BE(1, at)
    buffer[at + 4] = value ? 1 : 0
    at += 5
  }
  return buffer
}

export function texts(values: readonly (string | null)[]): Buffer {
  let size = 0
  let hasNull = false
  for (const value of values) {
    if (value === null) hasNull = true
    else size += Buffer.byteLength(value)
  }
  const buffer = header(oids.text, values.length, hasNull, size + values.length * 4)
  let at = headerSize
  for (const value of values) {
    if (value === null) {
      buffer.writeInt32BE(nullLength, at)
      at += 4
      continue
    }
    const length = buffer.write(value, at + 4)
    buffer.writeInt32BE(length, at)
    at += 4 + length
  }
  return buffer
}

/** A list of texts as the text of an array, for an array that is an element of another one. */
export function arrayText(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
}

/** The numbers in the text of an array of whole numbers. */
export function numbersOf(text: string): readonly number[] {
  return JSON.parse(`[${text.slice(1, -1)}]`) as readonly number[]
}

/** The texts in a JSON array, or none if there is no array. */
export const listOf = (json: string | null): readonly (string | null)[] =>
  json === null ? [] : (JSON.parse(json) as readonly (string | null)[])

/** Whether the database can store a text. It cannot store the null character, nor text that is not valid Unicode. */
export const isText = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
