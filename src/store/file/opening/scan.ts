/**
 * Reads the part of the log that is not indexed, line by line, when a store is opened. An unfinished end is cut:
 * incomplete lines of the last segment, with no complete line after them. They were never acknowledged, because only
 * one batch is written at a time. Any other damage is refused and nothing is changed: a bad line with complete lines
 * after it, a gap in positions or sequences, anything that the saved index proves durable, and a complete last line
 * that does not fit its checksum. A killed process and a power failure leave lines without an end, or null bytes.
 *
 * One hole is not damage. After a power failure a disk may hold later blocks of the last batch and not earlier ones,
 * which then read as null bytes. A line with null bytes, followed only by lines of its own batch, is such an end. If
 * the log was not synced (`mayLoseOnPowerFailure`), many batches may have such holes, and everything from the first
 * hole on is cut.
 */
import type { Breath } from '../../../runtime/breath.ts'
import type { Disk, DiskFile } from '../database/disk.ts'
import { corrupt } from '../database/failure.ts'
import type { CommitIndex } from '../index/commit-index.ts'
import { behindHole, checksumOf, parseLine, visitLines } from '../log/lines.ts'
import { type CommitRecord, isRecord, isWhole } from '../log/record.ts'
import type { Segment } from '../log/segments.ts'

/** What is known of the log before it is read, in bytes of the whole log. */
export interface ScanBounds {
  /** Everything up to here was durable. */
  readonly proven: number
  /** Nothing from here on was synced. */
  readonly unsyncedFrom: number
}

interface Damage {
  /** The offset in its segment. */
  readonly offset: number
  readonly reason: string
  readonly where: string
  /** Whether the line has its line feed. */
  readonly isComplete: boolean
  readonly hasHole: boolean
  /** The number of complete commits after it. */
  wholeBehind: number
}

export class Scan {
  readonly #directory: string
  readonly #index: CommitIndex
  readonly #bounds: ScanBounds
  readonly #breath: Breath

  constructor(directory: string, index: CommitIndex, bounds: ScanBounds, breath: Breath) {
    this.#directory = directory
    this.#index = index
    this.#bounds = bounds
    this.#breath = breath
  }

  /**
   * Reads the part of a segment that is not indexed. Cuts an unfinished end, and then returns the text for a warning.
   */
  async segment(disk: Disk, segment: Segment, isLast: boolean): Promise<string | undefined> {
    const { name, firstPosition, base, length } = segment
    const path = `${this.#directory}/${name}`
    const from = Math.max(this.#index.end - base, 0)
    if (from === 0 && firstPosition !== this.#index.head + 1) {
      const reason = `it starts at position ${firstPosition}, and the log before it ends at ${this.#index.head}: a segment is missing`
      throw corrupt(this.#directory, path, reason)
    }
    const file = await disk.open(path, 'read')
    let damage: Damage | undefined
    try {
      damage = await this.#lines(file, path, { from, to: length }, base, isLast)
    } finally {
      await file.close()
    }
    if (damage === undefined) return undefined
    this.#checkUnfinished(damage, base, isLast)
    await cut(disk, path, damage.offset)
    segment.length = damage.offset
    const lost = damage.wholeBehind === 0 ? '' : `, and ${damage.wholeBehind} whole commits among them`
    const bytes = `${length - damage.offset} bytes were cut${lost}`
    return `${damage.where}: ${damage.reason}. It was the unfinished end of the log, and ${bytes}`
  }

  async #lines(
    file: DiskFile,
    path: string,
    range: { readonly from: number; readonly to: number },
    base: number,
    isLast: boolean,
  ): Promise<Damage | undefined> {
    let damage: Damage | undefined
    let number = this.#index.count - (this.#index.offset.lastAtMost(base - 1, this.#index.count) + 1)
    const visit = (line: Buffer, offset: number): void => {
      number++
      const record = parseLine(line)
      const where = `${path}, line ${number} (byte ${offset})`
      if (damage === undefined && isRecord(record)) {
        this.#add(record, line, where)
        return
      }
      const whole = (damage && record) ?? (line.includes(0) ? parseLine(behindHole(line)) : undefined)
      damage ??= damageOf(line, offset, where)
      if (whole !== undefined) this.#addBehind(damage, whole, base, isLast)
    }
    await visitLines(file, range, visit, this.#breath)
    return damage
  }

  #add(record: CommitRecord, line: Buffer, where: string): void {
    const index = this.#index
    if (!isWhole(record)) throw corrupt(this.#directory, where, 'the line fits its checksum, but is not a commit')
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

  /** Handles a complete line after a damaged one: it belongs to an unfinished batch, or the log is damaged. */
  #addBehind(damage: Damage, record: unknown, base: number, isLast: boolean): void {
    damage.wholeBehind++
    const { hasHole, where, reason } = damage
    if (isLast && this.#isUnsynced(damage, base)) return
    const ofSameBatch = isRecord(record) && record.batch !== undefined && record.batch <= this.#index.head + 1
    if (isLast && hasHole && ofSameBatch) return
    throw corrupt(this.#directory, where, `${reason}; complete lines follow, so this is not an unfinished end`)
  }

  /** @throws StoreError `STORE_CORRUPT` if the damage is more than an unfinished end */
  #checkUnfinished(damage: Damage, base: number, isLast: boolean): void {
    const { where, reason, isComplete, hasHole, offset } = damage
    if (!isLast) throw corrupt(this.#directory, where, reason)
    if (base + offset < this.#bounds.proven) {
      throw corrupt(this.#directory, where, `${reason}; the saved index says that it was complete and durable`)
    }
    if (isComplete && !hasHole && !this.#isUnsynced(damage, base)) {
      throw corrupt(this.#directory, where, `${reason}; it is complete, so this is not an unfinished end`)
    }
  }

  #isUnsynced({ offset }: Damage, base: number): boolean {
    return base + offset >= Math.max(this.#bounds.unsyncedFrom, this.#bounds.proven)
  }
}

function damageOf(line: Buffer, offset: number, where: string): Damage {
  const isComplete = line.at(-1) === 10
  const reason = isComplete ? 'the line does not fit its checksum' : 'the line is incomplete'
  return { offset, reason, where, isComplete, hasHole: line.includes(0), wholeBehind: 0 }
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
