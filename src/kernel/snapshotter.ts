/**
 * Takes a snapshot when an aggregate's sequence reaches or passes a multiple of `snapshotEvery`. Snapshots are saved
 * one after the other, after the answers. A snapshot that cannot be saved is a warning, and never fails a command.
 */
import { encode } from '../domain/encoding.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Observing } from '../runtime/observing.ts'
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

interface SnapshotterOptions {
  readonly snapshots: SnapshotStore
  readonly environment: Environment
  readonly limits: KernelLimits
  readonly warn: Warn
  /** Absent if nobody observes. */
  readonly observing: Observing | undefined
}

export class Snapshotter {
  readonly #options: SnapshotterOptions
  /** The newest snapshot of each stream that waits to be saved. It replaces an older one. */
  #waiting = new Map<StreamId, Due>()
  #saving: Promise<void> | undefined

  constructor(options: SnapshotterOptions) {
    this.#options = options
  }

  /** Takes a snapshot if a multiple of `snapshotEvery` lies after `from` and up to the state. */
  advanced(type: AggregateType, stream: StreamId, from: number, loaded: LoadedState): void {
    const every = type.snapshotEvery
    if (every === undefined || Math.floor(from / every) === Math.floor(loaded.sequence / every)) return
    const { limits, warn } = this.#options
    if (this.#waiting.size >= limits.snapshotsWaitingMax && !this.#waiting.has(stream)) {
      const message = `A snapshot of ${named(stream)} was left out, because ${this.#waiting.size} others wait to be saved`
      warn({ code: 'SNAPSHOT_SKIPPED', message })
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
    const { snapshots, environment, limits, warn, observing } = this.#options
    const span = observing?.start('snapshot', { stream, sequence })
    try {
      const encoded = encode(`The state of ${named(stream)}`, state)
      const takenAt = environment.now()
      const snapshot = {
        stream,
        sequence,
        stateRevision: type.stateRevision,
        checksum,
        fingerprint: type.fingerprint,
        state: encoded,
        takenAt,
      }
      await snapshots.saveSnapshot(snapshot, { keep: limits.snapshotsKept })
      span?.end({})
    } catch (cause) {
      span?.cut(cause)
      warn({ code: 'SNAPSHOT_FAILED', message: `The snapshot of ${named(stream)} was not saved`, cause })
    }
  }
}
