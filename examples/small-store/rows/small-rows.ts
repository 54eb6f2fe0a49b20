/** What the small store keeps beside its log: rows with their checkpoints, and snapshots. */
import {
  type Checkpoint,
  type CheckpointPlace,
  ConflictError,
  type Json,
  type ProjectionStep,
  type RowPage,
  type RowQuery,
  type Snapshot,
  type StreamId,
} from '../../../src/index.ts'
import { keyOf } from '../log/small-log.ts'

interface Kept {
  readonly checkpoint: Checkpoint
  readonly rows: ReadonlyMap<string, Json>
}

const nothing: Kept = { checkpoint: { position: 0, term: 0, note: {} }, rows: new Map() }
const rowsPerPageMax = 10_000

/** A copy, so that a caller that changes its own value does not change what is kept. */
const copyOf = <Value>(value: Value): Value => structuredClone(value)
const placeOf = ({ position, term }: CheckpointPlace): CheckpointPlace => ({ position, term })

export class SmallRows {
  readonly #projections = new Map<string, Kept>()
  /** By stream; oldest first. */
  readonly #snapshots = new Map<string, readonly Snapshot[]>()

  // #region step
  saveStep(projection: string, { from, to, rows }: ProjectionStep): void {
    const { checkpoint, rows: before } = this.#projections.get(projection) ?? nothing
    if (checkpoint.position !== from.position || checkpoint.term !== from.term) {
      const [expected, actual] = [placeOf(from), placeOf(checkpoint)]
      throw new ConflictError('CHECKPOINT_CONFLICT', { projection, expected, actual })
    }
    const after = new Map(before)
    for (const { key, value } of rows) {
      if (value === undefined) after.delete(key)
      else after.set(key, copyOf(value))
    }
    this.#projections.set(projection, { checkpoint: copyOf(to), rows: after })
  }
  // #endregion

  resetProjection(projection: string): void {
    this.#projections.delete(projection)
  }

  // #region rows
  loadCheckpoint(projection: string): Checkpoint {
    return copyOf((this.#projections.get(projection) ?? nothing).checkpoint)
  }

  loadRows(projection: string, keys: readonly string[]): readonly (Json | undefined)[] {
    const { rows } = this.#projections.get(projection) ?? nothing
    return keys.map((key) => copyOf(rows.get(key)))
  }

  listRows(projection: string, { after = '', prefix = '', limit }: RowQuery): RowPage {
    const { rows } = this.#projections.get(projection) ?? nothing
    const keys = [...rows.keys()].filter((key) => key > after && key.startsWith(prefix)).sort()
    const page = keys.slice(0, Math.min(limit, rowsPerPageMax))
    const found = page.map((key) => ({ key, value: copyOf(rows.get(key)) }))
    return page.length < keys.length ? { rows: found, next: page.at(-1)! } : { rows: found }
  }
  // #endregion

  // #region snapshots
  saveSnapshot(snapshot: Snapshot, keep: number): void {
    const key = keyOf(snapshot.stream)
    const others = (this.#snapshots.get(key) ?? []).filter(({ sequence }) => sequence !== snapshot.sequence)
    const all = [...others, copyOf(snapshot)].sort((a, b) => a.sequence - b.sequence)
    this.#snapshots.set(key, all.slice(-keep))
  }

  loadSnapshot(stream: StreamId, atOrBefore: number): Snapshot | undefined {
    return copyOf(this.#snapshots.get(keyOf(stream))?.findLast(({ sequence }) => sequence <= atOrBefore))
  }
  // #endregion
}
