/**
 * Takes a snapshot when an aggregate's sequence reaches or passes a multiple of `snapshotEvery`. Snapshots are saved
 * one after the other, after the answers. A snapshot that cannot be saved is a warning, and never fails a command.
 */
import { encode } from '../domain/encoding.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Warn } from '../runtime/warning.ts'
import type { SnapshotStore } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { KernelLimits } from './limits.ts'
import { named } from './named.ts'
import type { LoadedState } from './rehydrate.ts'

interface Due {
  readonly type: AggregateType
  readonly loaded: LoadedState
}

export class Snapshotter {
  readonly #snapshots: SnapshotStore
  readonly #environment: Environment
  readonly #limits: KernelLimits
  readonly #warn: Warn
  /** The newest snapshot of each stream that waits to be saved. It replaces an older one. */
  #waiting = new Map<StreamId, Due>()
  #saving: Promise<void> | undefined

  constructor(snapshots: SnapshotStore, environment: Environment, limits: KernelLimits, warn: Warn) {
    this.#snapshots = snapshots
    this.#environment = environment
    this.#limits = limits
    this.#warn = warn
  }

  /** Takes a snapshot if a multiple of `snapshotEvery` lies after `from` and up to the state. */
  advanced(type: AggregateType, stream: StreamId, from: number, loaded: LoadedState): void {
    const every = type.snapshotEvery
    if (every === undefined || Math.floor(from / every) === Math.floor(loaded.sequence / every)) return
    if (this.#waiting.size >= this.#limits.snapshotsWaitingMax && !this.#waiting.has(stream)) {
      const message = `A snapshot of ${named(stream)} was left out, because ${this.#waiting.size} others wait to be saved`
      this.#warn({ code: 'SNAPSHOT_SKIPPED', message })
      return
    }
    this.#waiting.set(stream, { type, loaded })
    this.#saving ??= this.#saveAll()
  }

  /** Waits until every snapshot taken so far is saved or has failed. */
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

  async #save(stream: StreamId, { type, loaded: { state, sequence, checksum } }: Due): Promise<void> {
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
