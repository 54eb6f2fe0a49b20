/** The data beside the log: snapshots, projections and leases, each with its journal. */
import type { StreamId } from '../../../domain/stream.ts'
import type { EventLoop } from '../../../runtime/breath.ts'
import type { Lease, OpenOptions, ProjectionStep, Snapshot } from '../../store.ts'
import type { Disk } from '../database/disk.ts'
import type { Lock } from '../database/lock.ts'
import type { CommitIndex } from '../index/commit-index.ts'
import { Journal, type JournalContents, type JournalOptions } from './journal.ts'
import { Leases } from './leases.ts'
import { Projections } from './projections.ts'
import { Snapshots } from './snapshots.ts'

/** Where rows are stored, and the settings to open them with. */
export interface FileRowsPlace {
  readonly disk: Disk
  readonly directory: string
  /** The id of the log. */
  readonly log: string
  readonly lock: Lock
  readonly loop: EventLoop
  readonly journal: JournalOptions
}

interface Journals {
  readonly snapshots: Journal
  readonly projections: Journal
  readonly leases: Journal
}

export class FileRows {
  readonly snapshots: Snapshots
  readonly projections: Projections
  readonly #leases: Leases
  readonly #journals: Journals

  private constructor(snapshots: Snapshots, projections: Projections, leases: Leases, journals: Journals) {
    this.snapshots = snapshots
    this.projections = projections
    this.#leases = leases
    this.#journals = journals
  }

  /** Opens the journals, and drops entries about events that the log has lost. */
  static async open(place: FileRowsPlace, index: CommitIndex, { warn, now }: OpenOptions): Promise<FileRows> {
    const { loop } = place
    const [snapshots, projections] = [new Snapshots(loop), new Projections(loop)]
    const leases = new Leases(place.lock.token, now)
    const opened: Journal[] = []
    const open = async (name: string, contents: JournalContents) => {
      const { disk, directory, log, lock } = place
      const journal = await Journal.open(
        { disk, directory, log, lock, loop, name },
        contents,
        place.journal,
        (message) => warn({ code: 'TORN_TAIL_CUT', message }),
      )
      opened.push(journal)
      return journal
    }
    try {
      const journals = {
        // This journal comes first, because it is refused if it is damaged, and then nothing may be changed.
        projections: await open('projections.jsonl', projections),
        snapshots: await open('snapshots.jsonl', snapshots),
        leases: await open('leases.jsonl', leases),
      }
      const rows = new FileRows(snapshots, projections, leases, journals)
      await rows.#forgetLost(index, warn)
      await rows.#endLeases(place.lock.takenOver?.token)
      return rows
    } catch (error) {
      await Promise.allSettled(opened.map((journal) => journal.close()))
      throw error
    }
  }

  saveSnapshot(snapshot: Snapshot, keep: number, index: CommitIndex): Promise<void> {
    const { stream, sequence } = snapshot
    const { snapshots } = this
    return this.#journals.snapshots.change(() =>
      snapshots.save(snapshot, keep, sequence <= lastSequence(index, stream)),
    )
  }

  saveStep(projection: string, step: ProjectionStep, index: CommitIndex): Promise<void> {
    return this.#journals.projections.change(() => this.projections.save(projection, step, index.head))
  }

  resetProjection(projection: string): Promise<void> {
    return this.#journals.projections.change(() => this.projections.reset(projection))
  }

  acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    return this.#journals.leases.change(() => this.#leases.acquire(name, owner, durationMs))
  }

  releaseLease(name: string, owner: string): Promise<void> {
    return this.#journals.leases.change(() => this.#leases.release(name, owner))
  }

  /** Writes the files anew, without what was deleted or replaced. */
  async vacuum(): Promise<void> {
    await this.#journals.snapshots.compact()
    await this.#journals.projections.compact()
  }

  async close(): Promise<void> {
    const closed = await Promise.allSettled(Object.values(this.#journals).map((journal) => journal.close()))
    for (const result of closed) if (result.status === 'rejected') throw result.reason
  }

  /** Ends the leases of a process that has ended. It cannot use them any more, so other processes need not wait. */
  async #endLeases(lock: string | undefined): Promise<void> {
    if (lock === undefined) return
    for (const [name, owner] of this.#leases.heldUnder(lock)) await this.releaseLease(name, owner)
  }

  /**
   * Drops data that is ahead of the log. After a power failure, a log that was not synced may be shorter than the data
   * made from it.
   */
  async #forgetLost(index: CommitIndex, warn: OpenOptions['warn']): Promise<void> {
    const snapshots = await this.snapshots.dropLost((stream) => lastSequence(index, stream))
    const projections = this.projections.dropLost(index.head)
    if (snapshots > 0) await this.#journals.snapshots.compact()
    if (projections.length > 0) await this.#journals.projections.compact()
    const lost = [...(snapshots > 0 ? [`${snapshots} snapshots`] : []), ...projections]
    if (lost.length === 0) return
    const message = `The log ends at position ${index.head}; what was ahead of it was dropped: ${named(lost)}`
    warn({ code: 'TORN_TAIL_CUT', message })
  }
}

const namedMax = 20

function named(names: readonly string[]): string {
  const more = names.length - namedMax
  return more > 0 ? `${names.slice(0, namedMax).join(', ')}, and ${more} more` : names.join(', ')
}

function lastSequence(index: CommitIndex, id: StreamId): number {
  const stream = index.streams.find(id)
  return stream === -1 ? 0 : index.lastSequence(stream)
}
