/**
 * The checksum of an event: a number below 2^32 over all that is stored of it. Any change of one character or one
 * number changes it. Any other damage is missed with a chance of one in four thousand million.
 *
 * Reading an event takes less than two microseconds, so the checksum may take only a tenth of that. It is therefore
 * computed here, two characters at a time, in two lanes that do not wait for each other. One call of a native function
 * takes longer than a whole short text. The parts that an event shares with others (its stream, its type) are hashed
 * once.
 */
import { crc32 } from 'node:zlib'
import type { StreamId } from '../../../domain/stream.ts'

/** A row as the statements return it. The tables are STRICT, but a damaged row may hold anything. */
export type EventRow = readonly [
  position: number,
  sequence: number,
  kind: number,
  recordedAt: number,
  checksum: number,
  commitId: string,
  /** Null if it is too large to be read with others. */
  data: string | null,
  metadata: string | null,
  tags: string | null,
  /** Not read with all events of a stream. */
  stream?: number,
  ...more: readonly (string | number | null)[],
]

/** The value with which checksums of a stream, or of a type with its revision, begin. */
interface Seeded {
  readonly seed: number
}

/** A stream's row: its number, and where it ends. */
interface SummedStream extends Seeded {
  readonly number: number
  readonly sequence: number
  readonly checksum: number
  readonly sizeMax: number
}

/** From this number of characters on, the native function is faster. */
const longText = 400
const [factorA, factorB] = [0x01000193, 0x85ebca6b]
const high = 0x1_0000_0000
const nothing = 0x6e6f7065

/** The checksum of an event, over its row without the checksum there. */
export function checksumOf(row: EventRow, stream: Seeded, kind: Seeded): number {
  const [position, sequence, , recordedAt, , commitId, data, metadata, tags] = row
  let sum = mix(Math.imul(stream.seed, factorA) ^ kind.seed, position)
  sum = mix(sum, recordedAt)
  // The part of a time above 32 bits is a small number; that of a position is nearly always 0.
  sum = mix(sum, sequence ^ ((recordedAt / high) << 20) ^ ((position / high) << 8))
  sum = withText(withText(sum, commitId), data!)
  if (metadata !== null) sum = withText(sum, metadata)
  return finish(tags === null ? sum ^ nothing : withText(sum, tags))
}

/** The checksum of a stream's row. */
export function checksumOfStream({ seed, number, sequence, checksum, sizeMax }: SummedStream): number {
  return finish(mix(mix(mix(mix(seed, number), sequence), checksum), sizeMax))
}

export const seedOfStream = ({ aggregate, id }: StreamId): number => withText(withText(1, aggregate), id)

export const seedOfKind = (type: string, revision: number): number => mix(withText(2, type), revision)

/** The checksum of any other row, over all its values. */
export function checksumOfValues(...values: readonly (string | number | null)[]): number {
  let sum = 3
  for (const value of values) {
    if (value === null) sum = mix(sum, nothing)
    else sum = typeof value === 'string' ? withText(sum, value) : mix(mix(sum, value), value / high)
  }
  return finish(sum)
}

/** The lowest 32 bits of a number. */
function mix(sum: number, number: number): number {
  const mixed = Math.imul(sum ^ number, factorB)
  return mixed ^ (mixed >>> 15)
}

function withText(sum: number, text: string): number {
  const { length } = text
  if (length >= longText) return mix(mix(sum, length), crc32(text))
  let a = sum ^ length
  let b = ~sum
  let i = 0
  for (; i + 4 <= length; i += 4) {
    a = Math.imul(a ^ (text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)), factorA)
    b = Math.imul(b ^ (text.charCodeAt(i + 2) | (text.charCodeAt(i + 3) << 16)), factorB)
  }
  for (; i < length; i++) a = Math.imul(a ^ text.charCodeAt(i), factorA)
  return mix(a, b)
}

function finish(sum: number): number {
  return mix(sum ^ (sum >>> 16), 0) >>> 0
}
