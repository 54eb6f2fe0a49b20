/**
 * Backups of a store on a simulated disk: copies of its files, as a snapshot of the file system makes them between two
 * changes. One of them may be put back as a whole. Or only the files of the log are, and what stands beside it (rows,
 * checkpoints, snapshots) is ahead of it.
 */
import { firstPositionOf } from '../../../store/file/database/segment-name.ts'
import { indexName } from '../../../store/file/index/index-file.ts'
import type { Random } from '../../random.ts'
import type { Restored } from '../simulated-store.ts'
import type { DiskCopy, SimulatedDisk } from './simulated-disk.ts'

const copiesMax = 40
/** One of so many changes is followed by a copy. */
const changesPerCopy = 4

interface Backup {
  /** How many changes it has. */
  readonly changes: number
  readonly files: DiskCopy
}

export class DiskCopies {
  readonly #disk: SimulatedDisk
  readonly #directory: string
  readonly #random: Random
  /** The oldest first. Empty until the first one is needed. */
  #kept: Backup[] = []
  #changes = 0

  constructor(disk: SimulatedDisk, directory: string, random: Random) {
    this.#disk = disk
    this.#directory = directory
    this.#random = random
  }

  /** How many changes there were. */
  get changes(): number {
    return this.#changes
  }

  /** Keeps a copy of what there is now, and more of them from now on. The first one is never thrown away. */
  begin(): void {
    if (this.#kept.length === 0) this.#keep()
  }

  /** Something has changed. @param isWhole whether a copy may be made of what there is */
  changed(isWhole: boolean): void {
    this.#changes++
    if (isWhole && this.#kept.length > 0 && this.#random.chance(1 / changesPerCopy)) this.#keep()
  }

  /** Puts the newest copy back that has at most so many changes. */
  putBack(changes: number, what: Restored): void {
    const backup = this.#kept.findLast((each) => each.changes <= changes) ?? this.#kept[0]!
    this.#disk.putBack(this.#directory, backup.files, what === 'all' ? () => true : isOfLog)
    // Later changes count from there on, and the copies of what was lost cannot be put back.
    if (what === 'all') this.#changes = backup.changes
    this.#kept = this.#kept.filter((each) => each.changes <= backup.changes)
  }

  #keep(): void {
    const files = this.#disk.filesIn(this.#directory)
    const copied = new Map(Array.from(files, ([name, bytes]) => [name, Buffer.from(bytes)] as const))
    this.#kept.push({ changes: this.#changes, files: copied })
    if (this.#kept.length > copiesMax) this.#kept.splice(1, 1)
  }
}

/** Whether a file belongs to the log, and not to what stands beside it. */
const isOfLog = (name: string): boolean => name === indexName || firstPositionOf(name) !== undefined
