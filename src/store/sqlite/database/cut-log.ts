/**
 * Finds what SQLite leaves out of a write-ahead log. SQLite uses the log up to the first damaged page, and ignores the
 * rest without an error. After a power failure the rest is transactions that were not on the disk yet; otherwise it is
 * damage. This file searches the rest for what is still known: the number of transactions, and how far the log of
 * events had come. What is not in the file at all, because it was never written or the file is shorter now, is unknown.
 *
 * The format is SQLite's own (https://www.sqlite.org/fileformat2.html#walformat), which it promises to keep.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { logPathOf } from './log-path.ts'

/** The part of the log that is left out. */
export interface Cut {
  /** The number of transactions that end after the place where the log breaks off; 0 if there is only a part of one. */
  readonly transactions: number
  /** The last position of an event that is found there. */
  readonly position: number | undefined
  /** The page of the log at which it breaks off, counted from 1; 0 if not even its header can be used. */
  readonly at: number
}

/** The part that is left out, and where the log of events ends now. */
export interface CutLog extends Cut {
  readonly head: number
}

/** The file that the log belongs to. */
export interface LoggedFile {
  readonly path: string
  readonly pageSize: number
  /** The page that says where the log of events ends, or undefined if there is none yet. */
  readonly endPage: number | undefined
}

const headerSize = 32
const frameHeaderSize = 24
const framesAtOnce = 128
const magic = 0x377f0682

type Sum = readonly [number, number]

/** A page in the log with its header. */
interface Frame {
  readonly page: number
  readonly isEnd: boolean
  readonly salts: Sum
  readonly sum: Sum
  /** The checksum of its content, continued from that of the frame before it. */
  sumBehind(before: Sum): Sum
  readonly content: Buffer
}

/** Looks twice, because another process may be writing there. @returns undefined if nothing is left out */
export function findCut(file: LoggedFile): Cut | undefined {
  const first = lookForCut(file)
  if (first === undefined) return undefined
  const second = lookForCut(file)
  return first.at === second?.at ? second : undefined
}

function lookForCut({ path, pageSize, endPage }: LoggedFile): Cut | undefined {
  const file = openLog(logPathOf(path))
  if (file === undefined) return undefined
  try {
    const count = Math.floor((fstatSync(file).size - headerSize) / (frameHeaderSize + pageSize))
    if (count < 1) return undefined
    const header = Buffer.alloc(headerSize)
    readSync(file, header, 0, headerSize, 0)
    const isBig = (header.readUInt32BE(0) & 1) === 1
    const isWhole =
      header.readUInt32BE(0) >>> 1 === magic >>> 1 &&
      header.readUInt32BE(8) === pageSize &&
      isSame(sumOf(header, 0, 24, isBig, [0, 0]), pairAt(header, 24))
    const rest = new Rest(endPage)
    let salts = isWhole ? pairAt(header, 16) : undefined
    let before = pairAt(header, 24)
    for (const frame of framesOf(file, count, pageSize, isBig)) {
      salts ??= frame.salts
      if (isSame(frame.salts, salts)) {
        const isIntact = frame.page !== 0 && isSame(frame.sumBehind(before), frame.sum)
        if (isWhole && isIntact && !rest.isBroken) rest.pass(frame)
        else rest.add(frame, isIntact)
      } else rest.break()
      before = frame.sum
    }
    return rest.cut(isWhole)
  } finally {
    closeSync(file)
  }
}

/** The frames after the last transaction that is used. */
class Rest {
  readonly #endPage: number | undefined
  isBroken = false
  #passed = 0
  #unfinished = 0
  #transactions = 0
  #isAny = false
  #position: number | undefined

  constructor(endPage: number | undefined) {
    this.#endPage = endPage
  }

  /** A frame that SQLite uses, if its transaction has an end. */
  pass(frame: Frame): void {
    this.#passed++
    this.#unfinished = frame.isEnd ? 0 : this.#unfinished + 1
    if (frame.isEnd) this.#position = undefined
    else this.#learn(frame)
  }

  break(): void {
    this.isBroken = true
  }

  /** A frame of the same log that SQLite does not use. */
  add(frame: Frame, isIntact: boolean): void {
    this.break()
    this.#isAny = true
    if (frame.isEnd) this.#transactions++
    if (isIntact) this.#learn(frame)
  }

  #learn({ page, content }: Frame): void {
    if (page !== this.#endPage) return
    const position = positionIn(content)
    if (position !== undefined) this.#position = Math.max(position, this.#position ?? 0)
  }

  cut(isWhole: boolean): Cut | undefined {
    if (!this.#isAny && this.#unfinished === 0) return undefined
    const at = isWhole ? this.#passed - this.#unfinished + 1 : 0
    return { transactions: this.#transactions, position: this.#position, at }
  }
}

function openLog(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch {
    // There is no log, or SQLite will report why it cannot be read.
    return undefined
  }
}

function* framesOf(file: number, count: number, pageSize: number, isBig: boolean): Iterable<Frame> {
  const size = frameHeaderSize + pageSize
  for (let from = 0; from < count; from += framesAtOnce) {
    const bytes = Buffer.alloc(Math.min(framesAtOnce, count - from) * size)
    readSync(file, bytes, 0, bytes.length, headerSize + from * size)
    for (let at = 0; at < bytes.length; at += size) {
      const content = bytes.subarray(at + frameHeaderSize, at + size)
      yield {
        page: bytes.readUInt32BE(at),
        isEnd: bytes.readUInt32BE(at + 4) !== 0,
        salts: pairAt(bytes, at + 8),
        sum: pairAt(bytes, at + 16),
        sumBehind: (before) => sumOf(content, 0, pageSize, isBig, sumOf(bytes, at, 8, isBig, before)),
        content,
      }
    }
  }
}

const pairAt = (bytes: Buffer, at: number): Sum => [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
const isSame = (a: Sum, b: Sum): boolean => a[0] === b[0] && a[1] === b[1]

/** SQLite's own checksum, over words in the byte order that the header names. */
function sumOf(bytes: Buffer, from: number, length: number, isBig: boolean, before: Sum): Sum {
  const words = new DataView(bytes.buffer, bytes.byteOffset + from, length)
  let [a, b] = before
  for (let at = 0; at < length; at += 8) {
    a = (a + words.getUint32(at, !isBig) + b) | 0
    b = (b + words.getUint32(at + 4, !isBig) + a) | 0
  }
  return [a >>> 0, b >>> 0]
}

/** The number of bytes of a whole number, by SQLite's type. */
const sizes: readonly (number | undefined)[] = [undefined, 1, 2, 3, 4, 6]

/**
 * The position in a page of the table that says where the log ends: a leaf of a tree with the one row (id, head, ...),
 * whose `id` is the number of the row. Its cell begins with the sizes of the row and of the list of types, each a byte.
 */
function positionIn(page: Buffer): number | undefined {
  const [leafOfTable, oneRow, idAsNumber] = [13, 1, 0]
  if (page[0] !== leafOfTable || page.readUInt16BE(3) !== oneRow) return undefined
  const [start, listSize] = [page.readUInt16BE(8), 5]
  const types = start + 2
  if (page[types] !== listSize || page[types + 1] !== idAsNumber) return undefined
  const type = page[types + 2]!
  if (type === 8 || type === 9) return type - 8
  const [size, head] = [sizes[type], types + listSize]
  return size === undefined || head + size > page.length ? undefined : page.readUIntBE(head, size)
}
