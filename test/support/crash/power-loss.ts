/**
 * What a power failure does to a file store, made by hand behind a killed writer, since a kill alone keeps what the
 * operating system has not written yet: the log ends at any byte behind what was made durable, ends in blocks that were
 * never written, or lacks some blocks of its last batch. What is not synced at each change, the journals, ends
 * anywhere.
 */
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../../src/testing/random.ts'

/** A line of the log. */
interface Line {
  readonly start: number
  /** The first position of the batch that it was written in. */
  readonly batch: number
}

/** How long the files of the log are, or up to where they are durable, by name. */
export type Lengths = ReadonlyMap<string, number>

const blockBytes = 512
const journals = ['snapshots.jsonl', 'projections.jsonl', 'leases.jsonl']

/** The segments of a log as they are now. */
export function segmentLengths(directory: string): Lengths {
  const names = readdirSync(directory).filter((name) => /^log-\d+\.jsonl$/.test(name))
  return new Map(names.sort().map((name) => [name, statSync(join(directory, name)).size]))
}

/** Damages the files in a directory as a power failure may, wherever they are not durable. */
export function losePower(directory: string, durable: Lengths, random: Random): void {
  for (const name of journals) {
    const path = join(directory, name)
    if (existsSync(path) && random.chance(0.4)) truncateSync(path, random.int(0, statSync(path).size))
  }
  for (const name of segmentLengths(directory).keys()) {
    const path = join(directory, name)
    const bytes = readFileSync(path)
    const durableEnd = durable.get(name) ?? 0
    if (durableEnd < bytes.length) writeFileSync(path, damaged(bytes, durableEnd, random))
  }
}

function damaged(bytes: Buffer, durableEnd: number, random: Random): Buffer {
  const cut = random.int(durableEnd, bytes.length)
  switch (random.int(0, 2)) {
    case 0:
      return bytes.subarray(0, cut)
    case 1:
      return Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(random.int(1, 3 * blockBytes))])
    default:
      return withHole(bytes, durableEnd, random)
  }
}

/** Some blocks of the last batch were not written, and later ones were. */
function withHole(bytes: Buffer, durableEnd: number, random: Random): Buffer {
  const lines = linesOf(bytes)
  const batchStart = lines.find(({ batch }) => batch === lines.at(-1)?.batch)?.start ?? bytes.length
  const from = Math.max(durableEnd, batchStart)
  const holed = Buffer.from(bytes)
  for (let block = Math.ceil(from / blockBytes); block * blockBytes < bytes.length; block++) {
    if (random.chance(0.4)) holed.fill(0, block * blockBytes, Math.min((block + 1) * blockBytes, bytes.length))
  }
  return holed
}

/** The whole lines. What the last write left unfinished is part of no line. */
function linesOf(bytes: Buffer): readonly Line[] {
  const lines: Line[] = []
  for (let start = 0; ; ) {
    const end = bytes.indexOf('\n', start) + 1
    if (end === 0) return lines
    const { position, batch = position } = JSON.parse(bytes.toString('utf8', start + 9, end))
    lines.push({ start, batch })
    start = end
  }
}
