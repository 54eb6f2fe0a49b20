/**
 * What stands in the log when a store is opened. Only the part behind the saved index is read; without a usable index, all
 * of it. An unfinished end is cut: lines of the last segment that are not whole, with nothing whole behind them. It was
 * never acknowledged, since only one batch is under way at a time. Any other damage is refused and nothing is changed:
 * a bad line with whole ones behind it, a segment that is missing, a step in positions or sequences.
 *
 * One hole is no damage: after a power failure a disk may hold later blocks of the last batch and not the earlier ones,
 * which then read as null bytes. A line that holds some, with nothing behind it but lines of its own batch, is such an end.
 */
import { randomInt } from 'node:crypto'
import { CommitIndex } from './commit-index.ts'
import type { Disk, DiskFile } from './disk.ts'
import { type IndexedSegment, indexName, loadIndex } from './index-file.ts'
import { checksumOf, parseLine, visitLines } from './lines.ts'
import { type CommitRecord, isRecord } from './record.ts'
import { firstPositionOf, type Segment } from './segments.ts'
import { corrupt } from './trouble.ts'

/** What was found. `cut` and `rebuilt` say what is worth a warning. */
export interface Recovered {
  readonly index: CommitIndex
  readonly segments: readonly Segment[]
  readonly cut: string | undefined
  readonly rebuilt: string | undefined
  /** How many commits had to be read from the log. */
  readonly scanned: number
}

interface FoundSegment extends IndexedSegment {
  readonly firstPosition: number
}

/** @throws StoreError `STORE_CORRUPT`, or what the disk threw */
export async function recover(disk: Disk, directory: string, log: string): Promise<Recovered> {
  const found = await findSegments(disk, directory)
  const loaded = await loadIndex(disk, directory, log)
  const reason = loaded === undefined ? 'it is missing or unreadable' : unfitting(directory, loaded.segments, found)
  const fits = loaded !== undefined && reason === undefined && (await endsLikeLog(disk, directory, loaded.index, found))
  const index = fits ? loaded.index : new CommitIndex(randomInt(0x7fffffff))
  const covered = index.count
  const scan = new Scan(directory, index)
  const segments: Segment[] = []
  let cut: string | undefined
  let base = 0
  for (const [i, { name, length, firstPosition }] of found.entries()) {
    const isLast = i === found.length - 1
    const segment: Segment = { name, firstPosition, base, length }
    if (base + length > index.end || isLast) cut = await scan.segment(disk, segment, isLast)
    segments.push(segment)
    base += segment.length
  }
  const rebuilt = fits || found.length === 0 ? undefined : (reason ?? 'it does not fit the log')
  return { index, segments, cut, rebuilt, scanned: index.count - covered }
}

/** The segments that hold something. An empty one is what is left of a start that failed. */
async function findSegments(disk: Disk, directory: string): Promise<readonly FoundSegment[]> {
  const found: FoundSegment[] = []
  for (const name of [...(await disk.list(directory))].sort()) {
    const firstPosition = firstPositionOf(name)
    if (firstPosition === undefined) continue
    const file = await disk.open(`${directory}/${name}`, 'read')
    try {
      const status = await file.status()
      if (status.length > 0) found.push({ name, firstPosition, ...status })
    } finally {
      await file.close()
    }
  }
  return found
}

/**
 * Why an index does not speak of these segments, if so.
 *
 * @throws StoreError `STORE_CORRUPT` if a segment that it knows is not there
 */
function unfitting(
  directory: string,
  indexed: readonly IndexedSegment[],
  found: readonly FoundSegment[],
): string | undefined {
  for (const [i, segment] of indexed.entries()) {
    const { name, length, modifiedAt } = segment
    const there = found[i]
    if (!found.some((candidate) => candidate.name === name)) {
      const reason = `it is missing or empty, and held ${length} bytes; put it back (or remove ${indexName} to go without)`
      throw corrupt(directory, `${directory}/${name}`, reason)
    }
    if (there?.name !== name) return 'it knows other segments'
    if (there.length < length) return `${name} is shorter than it was`
    const mayGrow = i === indexed.length - 1
    if (there.length > length && !mayGrow) return `${name} is longer than it was`
    if (there.length === length && there.modifiedAt !== modifiedAt) return `${name} was written by somebody else`
  }
  return undefined
}

/** Whether the last commit of an index is where the index says. */
async function endsLikeLog(
  disk: Disk,
  directory: string,
  index: CommitIndex,
  found: readonly FoundSegment[],
): Promise<boolean> {
  const commit = index.count - 1
  if (commit === -1) return index.end === 0 && index.head === 0
  const offset = index.offset.get(commit)
  let base = 0
  for (const { name, length } of found) {
    if (offset < base + length) {
      const file = await disk.open(`${directory}/${name}`, 'read')
      try {
        let fits = false
        const range = { from: offset - base, to: index.end - base }
        await visitLines(file, range, (line) => {
          const record = parseLine(line)
          fits = isRecord(record) && record.position === index.position.get(commit)
          fits &&= checksumOf(line) === index.checksum.get(commit)
        })
        return fits
      } finally {
        await file.close()
      }
    }
    base += length
  }
  return false
}

interface Damage {
  readonly offset: number
  readonly reason: string
  readonly where: string
  readonly hasHole: boolean
}

class Scan {
  readonly #directory: string
  readonly #index: CommitIndex

  constructor(directory: string, index: CommitIndex) {
    this.#directory = directory
    this.#index = index
  }

  /** Reads what of a segment is not indexed; cuts its end if that is unfinished, and then says so. */
  async segment(disk: Disk, segment: Segment, isLast: boolean): Promise<string | undefined> {
    const { name, firstPosition, base, length } = segment
    const path = `${this.#directory}/${name}`
    const from = Math.max(this.#index.end - base, 0)
    if (from === 0 && firstPosition !== this.#index.head + 1) {
      const reason = `it starts at position ${firstPosition}, and the log before it ends at ${this.#index.head}: a segment is missing`
      throw corrupt(this.#directory, path, reason)
    }
    const lines = this.#index.count - (this.#index.offset.lastAtMost(base - 1, this.#index.count) + 1)
    const file = await disk.open(path, 'read')
    let damage: Damage | undefined
    try {
      damage = await this.#lines(file, path, { from, to: length }, lines, isLast)
    } finally {
      await file.close()
    }
    if (damage === undefined) return undefined
    if (!isLast) throw corrupt(this.#directory, damage.where, damage.reason)
    await cut(disk, path, damage.offset)
    segment.length = damage.offset
    return `${damage.where}: ${damage.reason}. It was the unfinished end of the log, and ${length - damage.offset} bytes were cut`
  }

  async #lines(
    file: DiskFile,
    path: string,
    range: { readonly from: number; readonly to: number },
    linesBefore: number,
    isLast: boolean,
  ): Promise<Damage | undefined> {
    let damage: Damage | undefined
    let number = linesBefore
    await visitLines(file, range, (line, offset) => {
      number++
      const record = parseLine(line)
      const where = `${path}, line ${number} (byte ${offset})`
      if (damage === undefined && isRecord(record)) this.#add(record, line, where)
      else if (damage === undefined) damage = damageOf(line, offset, where)
      else if (record !== undefined) this.#checkSameBatch(damage, record, isLast)
    })
    return damage
  }

  #add(record: CommitRecord, line: Buffer, where: string): void {
    const index = this.#index
    if (record.position !== index.head + 1) {
      throw corrupt(this.#directory, where, `it has position ${record.position}, and ${index.head + 1} is next`)
    }
    const stream = index.streams.findOrAdd(record)
    const next = index.lastSequence(stream) + 1
    if (record.sequence !== next) {
      throw corrupt(this.#directory, where, `it has sequence ${record.sequence}, and ${next} is next in its stream`)
    }
    const { events, commit: commitId } = record
    index.add({ stream, length: line.length, events: events.length, commitId, checksum: checksumOf(line) })
  }

  #checkSameBatch({ hasHole, where, reason }: Damage, record: unknown, isLast: boolean): void {
    const ofSameBatch = isRecord(record) && record.batch !== undefined && record.batch <= this.#index.head + 1
    if (isLast && hasHole && ofSameBatch) return
    const remedy = 'whole lines follow, so this is no unfinished end'
    throw corrupt(this.#directory, where, `${reason}; ${remedy}`)
  }
}

function damageOf(line: Buffer, offset: number, where: string): Damage {
  const isComplete = line.at(-1) === 10
  const reason = isComplete ? 'the line does not fit its checksum' : 'the line is incomplete'
  return { offset, reason, where, hasHole: line.includes(0) }
}

async function cut(disk: Disk, path: string, length: number): Promise<void> {
  const file = await disk.open(path, 'write')
  try {
    await file.truncate(length)
    await file.sync()
  } finally {
    await file.close()
  }
}
