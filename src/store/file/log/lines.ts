/**
 * Readable lines with a checksum: eight hexadecimal digits of CRC-32, a space, JSON, a line feed. JSON contains no raw
 * line feed and no null byte. A line therefore ends at its line feed, and null bytes are unwritten blocks. The checksum
 * finds accidents. It is no defence against a person who edits the file on purpose.
 */
import { crc32 } from 'node:zlib'
import type { Breath } from '../../../runtime/breath.ts'
import { type DiskFile, readFully } from '../database/disk.ts'

const lineFeed = 10
const space = 32
/** The bytes of a line before its JSON. */
const prefixBytes = 9
const digits = new Uint8Array([...'0123456789abcdef'].map((digit) => digit.charCodeAt(0)))
/** A buffer that is larger than this is released after the batch. */
const bufferBytesKept = 8 * 1024 * 1024

/** Gathers lines in one buffer, to be written at once. */
export class LineBuffer {
  #bytes: Buffer = Buffer.allocUnsafe(64 * 1024)
  #length = 0
  /** The checksum of the line that was added last. */
  checksum = 0

  /**
   * Adds a line and returns its length in bytes.
   *
   * @param seed the checksum that this one continues, so that the line fits only after one other line
   */
  add(json: string, seed: number = 0): number {
    const start = this.#length
    // A code unit of UTF-16 is at most three bytes of UTF-8.
    this.#reserve(start + json.length * 3 + prefixBytes + 1)
    const bytes = this.#bytes
    const end = start + prefixBytes + bytes.write(json, start + prefixBytes)
    let checksum = crc32(bytes.subarray(start + prefixBytes, end), seed)
    this.checksum = checksum
    for (let i = start + 7; i >= start; i--) {
      bytes[i] = digits[checksum & 15]!
      checksum >>>= 4
    }
    bytes[start + prefixBytes - 1] = space
    bytes[end] = lineFeed
    this.#length = end + 1
    return end + 1 - start
  }

  /** The lines so far, valid until the next `add` or `clear`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
    if (this.#bytes.length > bufferBytesKept) this.#bytes = Buffer.allocUnsafe(64 * 1024)
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(length, this.#bytes.length * 2))
    grown.set(this.bytes)
    this.#bytes = grown
  }
}

/** The value of a line whose checksum cannot be judged, because it continues one that is lost. */
export function unjudged(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8', prefixBytes))
  } catch {
    return undefined
  }
}

/**
 * The value of a line (with its line feed) if its checksum is right, otherwise `undefined`.
 *
 * @param expected the checksum that it must have, if that is known
 * @param seed the checksum that it continues
 */
export function parseLine(line: Buffer, expected?: number, seed: number = 0): unknown {
  const end = line.length - 1
  if (end < prefixBytes || line[end] !== lineFeed || line[prefixBytes - 1] !== space) return undefined
  let checksum = crc32(line.subarray(prefixBytes, end), seed)
  if (expected !== undefined && checksum !== expected) return undefined
  for (let i = 7; i >= 0; i--) {
    if (line[i] !== digits[checksum & 15]) return undefined
    checksum >>>= 4
  }
  try {
    return JSON.parse(line.toString('utf8', prefixBytes, end))
  } catch {
    return undefined
  }
}

/** The checksum in a line. Call it only for a line that `parseLine` has found to be complete. */
export function checksumOf(line: Buffer): number {
  return Number.parseInt(line.toString('latin1', 0, prefixBytes - 1), 16)
}

/** Null bytes have no line feed, so a whole line may stand behind them in what looks like one line. */
export const behindHole = (line: Buffer): Buffer => line.subarray(line.lastIndexOf(0) + 1)

const chunkBytes = 1024 * 1024

/** Visits the lines of a file between two offsets, in order. The last one may lack its line feed. */
export async function visitLines(
  file: DiskFile,
  { from, to }: { readonly from: number; readonly to: number },
  visit: (line: Buffer, offset: number) => void,
  breath: Breath,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  let offset = from
  for (let next = from; next < to; ) {
    // For a line longer than a chunk, the size of the next read is doubled, so that the cost stays linear.
    const chunk = Buffer.allocUnsafe(Math.min(Math.max(chunkBytes, rest.length), to - next))
    const count = await readFully(file, chunk, next)
    if (count === 0) break
    next += count
    const bytes = rest.length === 0 ? chunk.subarray(0, count) : Buffer.concat([rest, chunk.subarray(0, count)])
    let start = 0
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, start)) {
      visit(bytes.subarray(start, end + 1), offset + start)
      start = end + 1
      if (breath.isDue) await breath.pause()
    }
    rest = bytes.subarray(start)
    offset += start
  }
  if (rest.length > 0) visit(rest, offset)
}
