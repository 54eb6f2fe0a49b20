/**
 * Snapshots, taken when an aggregate's sequence reaches or jumps over a multiple of `snapshotEvery`, saved one after
 * the other behind the answers. Saving never fails a command: what goes wrong is a warning.
 */
import { encode } from '../domain/encoding.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Warn } from '../runtime/warning.ts'
import type { SnapshotStore } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { KernelLimits } from './limits.ts'
import type { LoadedState } from './rehydrate.ts'

interface Due {
  readonly type: AggregateType
  readonly standing: LoadedState
}

export class Snapshotter {
  readonly #snapshots: SnapshotStore
  readonly #environment: Environment
  readonly #limits: KernelLimits
  readonly #warn: Warn
  /** The newest snapshot due of each stream; an older one that waits is worth nothing any more. */
  #waiting = new Map<StreamId, Due>()
  #saving: Promise<void> | undefined

  constructor(snapshots: SnapshotStore, environment: Environment, limits: KernelLimits, warn: Warn) {
    this.#snapshots = snapshots
    this.#environment = environment
    this.#limits = limits
    this.#warn = warn
  }

  /** Takes a snapshot if a multiple lies in what an instance went through. */
  advanced(type: AggregateType, stream: StreamId, from: number, standing: LoadedState): void {
    const every = type.snapshotEvery
    if (every === undefined || Math.floor(from / every) === Math.floor(standing.sequence / every)) return
    if (this.#waiting.size >= this.#limits.snapshotsWaitingMax && !this.#waiting.has(stream)) {
      const message = `A snapshot of ${named(stream)} is left out: ${this.#waiting.size} are waiting to be saved`
      this.#warn({ code: 'SNAPSHOT_SKIPPED', message })
      return
    }
    this.#waiting.set(stream, { type, standing })
    this.#saving ??= this.#saveAll()
  }

  /** Settles when every snapshot taken so far is saved or has failed. */
  async drain(): Promise<void> {
    await this.#saving
  }

  async #saveAll(): Promise<void> {
    for (const [stream, due] of this.#waiting) {
      this.#waiting.delete(stream)
      await this.#save(stream, due)
    }
    this.#saving = undefined
  }

  async #save(stream: StreamId, { type, standing: { state, sequence, checksum } }: Due): Promise<void> {
    try {
      const encoded = encode(`The state of ${named(stream)}`, state)
      const takenAt = this.#environment.now()
      const snapshot = {
        stream,
        sequence,
        stateRevision: type.stateRevision,
        checksum,
        fingerprint: type.fingerprint,
        state: encoded,
        takenAt,
      }
      await this.#snapshots.saveSnapshot(snapshot, { keep: this.#limits.snapshotsKept })
    } catch (cause) {
      this.#warn({ code: 'SNAPSHOT_FAILED', message: `The snapshot of ${named(stream)} was not saved`, cause })
    }
  }
}

const named = ({ aggregate, id }: StreamId) => `${aggregate} ${JSON.stringify(id)}`
