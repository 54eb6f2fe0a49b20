/**
 * Snapshots, taken when an aggregate's sequence reaches or jumps over a multiple of `snapshotEvery`, saved one after the other
 * behind the answers. Saving never fails a command: what goes wrong is a warning.
 */
import { encode } from '../domain/encoding.ts'
import type { StreamId } from '../domain/stream.ts'
import type { SnapshotStore } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { Environment } from './environment.ts'
import type { KernelLimits } from './limits.ts'
import type { Standing } from './rehydrate.ts'
import type { Warn } from './warning.ts'

interface Due {
  readonly type: AggregateType
  readonly stream: StreamId
  readonly standing: Standing
}

export class Snapshotter {
  readonly #snapshots: SnapshotStore
  readonly #environment: Environment
  readonly #limits: KernelLimits
  readonly #warn: Warn
  #waiting: Due[] = []
  #saving: Promise<void> | undefined

  constructor(snapshots: SnapshotStore, environment: Environment, limits: KernelLimits, warn: Warn) {
    this.#snapshots = snapshots
    this.#environment = environment
    this.#limits = limits
    this.#warn = warn
  }

  /** Takes a snapshot if a multiple lies in what an instance went through. */
  advanced(type: AggregateType, stream: StreamId, from: number, standing: Standing): void {
    const every = type.snapshotEvery
    if (every === undefined || Math.floor(from / every) === Math.floor(standing.sequence / every)) return
    if (this.#waiting.length >= this.#limits.snapshotsWaitingMax) {
      const message = `A snapshot of ${named(stream)} is left out: ${this.#waiting.length} are waiting to be saved`
      this.#warn({ code: 'SNAPSHOT_SKIPPED', message })
      return
    }
    this.#waiting.push({ type, stream, standing })
    this.#saving ??= this.#saveAll()
  }

  /** Settles when every snapshot taken so far is saved or has failed. */
  async drain(): Promise<void> {
    await this.#saving
  }

  async #saveAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      for (const due of batch) await this.#save(due)
    }
    this.#saving = undefined
  }

  async #save({ type, stream, standing: { state, sequence } }: Due): Promise<void> {
    try {
      const encoded = encode(`The state of ${named(stream)}`, state)
      const takenAt = this.#environment.now()
      const snapshot = { stream, sequence, stateRevision: type.stateRevision, state: encoded, takenAt }
      await this.#snapshots.saveSnapshot(snapshot, { keep: this.#limits.snapshotsKept })
    } catch (cause) {
      this.#warn({ code: 'SNAPSHOT_FAILED', message: `The snapshot of ${named(stream)} was not saved`, cause })
    }
  }
}

const named = ({ aggregate, id }: StreamId) => `${aggregate} ${JSON.stringify(id)}`
