/**
 * Finds out what the log holds when a store is opened. Only the part after the saved index is read (see `scan.ts`);
 * without a usable index, all of it.
 *
 * The index covers only what was durable, and knows to which log it belongs. A log that holds less than it covers, or
 * something else, is therefore damaged: it is refused, and nothing is changed. A person who knows that there is no
 * better copy can remove the index.
 */
import { Breath } from '../../../runtime/breath.ts'
import type { Disk } from '../database/disk.ts'
import { corrupt } from '../database/failure.ts'
import type { Machine } from '../database/machine.ts'
import { firstPositionOf } from '../database/segment-name.ts'
import { CommitIndex } from '../index/commit-index.ts'
import { type IndexedSegment, indexName, type LoadedIndex, loadIndex } from '../index/index-file.ts'
import { checksumOf, parseLine, visitLines } from '../log/lines.ts'
import { isRecord } from '../log/record.ts'
import type { Segment } from '../log/segments.ts'
import { unsyncedFrom } from '../log/unsynced.ts'
import { Scan } from './scan.ts'

/** The result. `cut` and `rebuilt` are texts for warnings. */
export interface Recovered {
  readonly index: CommitIndex
  readonly segments: readonly Segment[]
  readonly cut: string | undefined
  readonly rebuilt: string | undefined
  /** The number of commits that had to be read from the log. */
  readonly scanned: number
  /** Whether some of it may not have been synced. */
  readonly wasUnsynced: boolean
}

interface FoundSegment extends IndexedSegment {
  readonly firstPosition: number
}

/** What to do if the log is less than its index says. */
const remedy = `put it back (or remove ${indexName} to open without it, if there is no other copy)`

/** @param log its id. @throws StoreError `STORE_CORRUPT`, or an error of the disk */
export async function recover(disk: Disk, directory: string, log: string, machine: Machine): Promise<Recovered> {
  const breath = new Breath(machine.loop)
  const found = await findSegments(disk, directory)
  const saved = await loadIndex(disk, directory, log, breath)
  if (saved !== undefined) checkCovered(directory, saved.segments, found)
  const reason = saved === undefined ? 'it is missing, unreadable, or of another log' : changeIn(saved.segments, found)
  if (saved !== undefined && reason === undefined) await checkLast({ disk, directory }, saved.index, found, breath)
  const index = saved !== undefined && reason === undefined ? saved.index : new CommitIndex(machine.newSeed())
  const covered = index.count
  const bounds = { proven: saved?.index.end ?? 0, unsyncedFrom: await unsyncedFrom(disk, directory) }
  const scan = new Scan(directory, index, bounds, breath)
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
  if (saved !== undefined && index !== saved.index) await checkSame(directory, saved, index, breath)
  const rebuilt = found.length === 0 ? undefined : reason
  const wasUnsynced = bounds.unsyncedFrom !== Number.POSITIVE_INFINITY
  return { index, segments, cut, rebuilt, scanned: index.count - covered, wasUnsynced }
}

/** The segments that are not empty. An empty one was left by a start that failed. */
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

/** @throws StoreError `STORE_CORRUPT` if a segment holds less than the index covers */
function checkCovered(directory: string, indexed: readonly IndexedSegment[], found: readonly FoundSegment[]): void {
  const lengths = new Map(found.map(({ name, length }) => [name, length]))
  for (const { name, length } of indexed) {
    const there = lengths.get(name)
    if (there !== undefined && there >= length) continue
    const reason =
      there === undefined
        ? `it is missing or empty, and held ${length} bytes; ${remedy}`
        : `it is shorter than it was: it has ${there} bytes, and held ${length}; ${remedy}`
    throw corrupt(directory, `${directory}/${name}`, reason)
  }
}

/** Why the log is read although an index covers it, if there is a reason. */
function changeIn(indexed: readonly IndexedSegment[], found: readonly FoundSegment[]): string | undefined {
  for (const [i, { name, length, modifiedAt }] of indexed.entries()) {
    const there = found[i]
    if (there?.name !== name) return 'it knows other segments'
    if (there.length > length && i < indexed.length - 1) return `${name} is longer than it was`
    if (there.length === length && there.modifiedAt !== modifiedAt) return `${name} was written by somebody else`
  }
  return undefined
}

/** @throws StoreError `STORE_CORRUPT` if the last commit of an index is not where the index has it */
async function checkLast(
  { disk, directory }: { readonly disk: Disk; readonly directory: string },
  index: CommitIndex,
  found: readonly FoundSegment[],
  breath: Breath,
): Promise<void> {
  const commit = index.count - 1
  if (commit === -1) return
  const offset = index.offset.get(commit)
  let base = 0
  for (const { name, length } of found) {
    if (offset < base + length) {
      const path = `${directory}/${name}`
      const file = await disk.open(path, 'read')
      try {
        let fits = false
        const visit = (line: Buffer): void => {
          const record = parseLine(line)
          fits = isRecord(record) && record.position === index.position.get(commit)
          fits &&= checksumOf(line) === index.checksum.get(commit)
        }
        await visitLines(file, { from: offset - base, to: index.end - base }, visit, breath)
        if (fits) return
      } finally {
        await file.close()
      }
      throw notSame(directory, `${path}, byte ${offset - base}`)
    }
    base += length
  }
}

/** @throws StoreError `STORE_CORRUPT` if the log that was read is not the one that its index covers */
async function checkSame(
  directory: string,
  { index: saved }: LoadedIndex,
  read: CommitIndex,
  breath: Breath,
): Promise<void> {
  for (let commit = 0; commit < saved.count; commit++) {
    const isSame = commit < read.count && read.checksum.get(commit) === saved.checksum.get(commit)
    if (!isSame) throw notSame(directory, `position ${saved.position.get(commit)}`)
    if (commit % 4096 === 0 && breath.isDue) await breath.pause()
  }
}

function notSame(directory: string, where: string): Error {
  return corrupt(directory, where, `the line is damaged, or is not the one in the saved index; ${remedy}`)
}
