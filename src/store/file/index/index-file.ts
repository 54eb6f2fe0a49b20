/**
 * The index on disk: a line of JSON, the columns as they are in memory, and a CRC-32 over everything. It is written to
 * another file and renamed, and covers only what is durable in the log. It is not necessary: if anything about it is
 * wrong, it is not used, and the log is read instead. See `opening/recovery.ts` for the checks of the log against it.
 */
import { crc32 } from 'node:zlib'
import type { Breath } from '../../../runtime/breath.ts'
import type { Column } from '../../column.ts'
import { type Disk, type DiskFile, readFully, replaceFile, writeFully } from '../database/disk.ts'
import { CommitIndex } from './commit-index.ts'

export const indexName = 'index.bin'
const kind = 'mneme file index'
const version = 3
const headerBytesMax = 64 * 1024 * 1024
/** Shows a machine with the other byte order, whose columns would have other values. */
const byteOrder = new Uint8Array(new Uint32Array([0x01020304]).buffer)[0]!

/** A segment at the time when the index was written. */
export interface IndexedSegment {
  readonly name: string
  readonly length: number
  /** When it was last written. Another time means that another program has written to it. */
  readonly modifiedAt: number
}

interface Header {
  readonly kind: string
  readonly version: number
  readonly byteOrder: number
  /** The id of its log. */
  readonly log: string
  readonly seed: number
  readonly commits: number
  readonly streams: number
  readonly characters: number
  readonly head: number
  readonly end: number
  readonly newestId: string
  readonly aggregates: readonly string[]
  readonly segments: readonly IndexedSegment[]
}

export interface LoadedIndex {
  readonly index: CommitIndex
  readonly segments: readonly IndexedSegment[]
}

/** The stored columns with their lengths. The others follow from them. */
function columnsOf(index: CommitIndex, header: Header): readonly (readonly [Column, number])[] {
  const { position, offset, stream, hash, check, checksum, streams } = index
  const ofCommits = [position, offset, stream, hash, check, checksum].map((column) => [column, header.commits] as const)
  const ofStreams = [streams.aggregate, streams.hash, streams.idStart].map(
    (column) => [column, header.streams] as const,
  )
  return [...ofCommits, ...ofStreams, [streams.characters, header.characters]]
}

/** The header of an index at this moment. The index may grow while it is written. */
export function freeze(index: CommitIndex, log: string, segments: readonly IndexedSegment[]): Header {
  const { seed, count: commits, head, end, newestId, streams } = index
  const names = { characters: streams.characters.length, aggregates: [...streams.aggregates] }
  const counts = { seed, commits, streams: streams.count, ...names, head, end }
  return { kind, version, byteOrder, log, ...counts, newestId, segments }
}

/** Writes an index as it was when its header was made. */
export async function saveIndex(disk: Disk, directory: string, index: CommitIndex, header: Header): Promise<void> {
  await replaceFile(disk, directory, indexName, async (file) => {
    let position = 0
    let checksum = 0
    const put = async (bytes: Uint8Array) => {
      await writeFully(file, bytes, position)
      position += bytes.length
      checksum = crc32(bytes, checksum)
    }
    await put(Buffer.from(`${JSON.stringify(header)}\n`))
    for (const [column, length] of columnsOf(index, header))
      for (const bytes of column.bytesOf(length)) await put(bytes)
    const trailer = Buffer.alloc(4)
    trailer.writeUInt32LE(checksum)
    await put(trailer)
  })
}

/** The saved index of a log, or `undefined` if there is none that can be used. */
export async function loadIndex(
  disk: Disk,
  directory: string,
  log: string,
  breath: Breath,
): Promise<LoadedIndex | undefined> {
  let file: DiskFile
  try {
    file = await disk.open(`${directory}/${indexName}`, 'read')
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return await readIndex(file, log, breath)
  } finally {
    await file.close()
  }
}

async function readIndex(file: DiskFile, log: string, breath: Breath): Promise<LoadedIndex | undefined> {
  const line = await readHeader(file)
  const header = line && parseHeader(line)
  if (header === undefined || header.log !== log) return undefined
  const index = new CommitIndex(header.seed)
  const columns = columnsOf(index, header)
  let position = line!.length
  let checksum = crc32(line!)
  const { length } = await file.status()
  if (length !== position + columns.reduce((sum, [column, count]) => sum + count * column.bytesEach, 0) + 4)
    return undefined
  for (const [column, count] of columns) {
    column.extend(count)
    for (const bytes of column.bytesOf(count)) {
      if ((await readFully(file, bytes, position)) < bytes.length) return undefined
      position += bytes.length
      checksum = crc32(bytes, checksum)
    }
  }
  const trailer = Buffer.alloc(4)
  if ((await readFully(file, trailer, position)) < 4 || trailer.readUInt32LE() !== checksum) return undefined
  await index.streams.restore(header.aggregates, breath)
  await index.restore(header.head, header.end, header.newestId, breath)
  return { index, segments: header.segments }
}

async function readHeader(file: DiskFile): Promise<Buffer | undefined> {
  for (let length = 64 * 1024; length <= headerBytesMax; length *= 4) {
    const bytes = Buffer.allocUnsafe(length)
    const count = await readFully(file, bytes, 0)
    const end = bytes.subarray(0, count).indexOf(10)
    if (end !== -1) return bytes.subarray(0, end + 1)
    if (count < length) return undefined
  }
  return undefined
}

function parseHeader(line: Buffer): Header | undefined {
  try {
    const header = JSON.parse(line.toString('utf8')) as Header
    const counts = [header.seed, header.commits, header.streams, header.characters, header.head, header.end]
    const known = header.kind === kind && header.version === version && header.byteOrder === byteOrder
    const texts = [header.newestId, ...header.aggregates]
    const isWhole = counts.every(isCount) && texts.every(isText) && header.segments.every(isSegment) && known
    return isWhole ? header : undefined
  } catch {
    return undefined
  }
}

const isCount = (found: unknown): boolean => Number.isSafeInteger(found) && (found as number) >= 0
const isText = (found: unknown): boolean => typeof found === 'string'
const isSegment = ({ name, length, modifiedAt }: IndexedSegment): boolean =>
  isText(name) && isCount(length) && Number.isFinite(modifiedAt)
