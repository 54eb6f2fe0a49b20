/**
 * Saves the index when the log has grown far beyond the saved one, and at closing. It runs beside other work. A failure
 * does no harm: the next opening reads more of the log.
 */

import type { Disk } from '../database/disk.ts'
import type { CommitIndex } from './commit-index.ts'
import { freeze, type IndexedSegment, saveIndex } from './index-file.ts'

/** This number of commits is read from the log within a second or two, so saving more often is not worth it. */
const commitsUnsavedMin = 200_000

/** The log that the index is of. */
interface IndexedLog {
  readonly list: readonly Pick<IndexedSegment, 'name' | 'length'>[]
  mayWrite(): Promise<boolean>
  sync(): Promise<void>
}

export class IndexKeeper {
  readonly #disk: Disk
  readonly #directory: string
  readonly #index: CommitIndex
  readonly #segments: IndexedLog
  readonly #log: string
  #commitsSaved: number
  #saving: Promise<void> | undefined

  /** @param commitsSaved the number of commits that the saved index covers */
  constructor(
    place: {
      readonly disk: Disk
      readonly directory: string
      readonly index: CommitIndex
      readonly segments: IndexedLog
      readonly log: string
    },
    commitsSaved: number,
  ) {
    this.#disk = place.disk
    this.#directory = place.directory
    this.#index = place.index
    this.#segments = place.segments
    this.#log = place.log
    this.#commitsSaved = commitsSaved
  }

  /** Call this when the index has grown. */
  grown(): void {
    const unsaved = this.#index.count - this.#commitsSaved
    // In proportion to the log, so that all saves together take time in proportion to the log and not to its square.
    if (this.#saving !== undefined || unsaved < Math.max(commitsUnsavedMin, this.#commitsSaved / 2)) return
    this.#saving = this.#save().finally(() => {
      this.#saving = undefined
    })
  }

  async close(): Promise<void> {
    await this.#saving
    if (this.#index.count !== this.#commitsSaved) await this.#save()
  }

  async #save(): Promise<void> {
    if (!(await this.#segments.mayWrite())) return
    try {
      // Commits that the index covers must not be lost after it is saved.
      const { count } = this.#index
      const segments = this.#segments.list.filter(({ length }) => length > 0).map((segment) => ({ ...segment }))
      const header = freeze(this.#index, this.#log, [])
      await this.#segments.sync()
      await saveIndex(this.#disk, this.#directory, this.#index, { ...header, segments: await this.#statuses(segments) })
      this.#commitsSaved = count
    } catch {
      // It is tried again when the index has grown more, and at closing.
    }
  }

  async #statuses(segments: IndexedLog['list']): Promise<readonly IndexedSegment[]> {
    const found: IndexedSegment[] = []
    for (const { name, length } of segments) {
      const file = await this.#disk.open(`${this.#directory}/${name}`, 'read')
      try {
        const { modifiedAt } = await file.status()
        found.push({ name, length, modifiedAt })
      } finally {
        await file.close()
      }
    }
    return found
  }
}
