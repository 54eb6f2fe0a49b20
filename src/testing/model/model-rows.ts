/**
 * The simplest possible rows, checkpoints, snapshots and leases: maps and lists that are searched from beginning to
 * end. Their answers define what the port means.
 */
import type { Json, JsonObject } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Checkpoint, Condition, Lease, ProjectionStep, Row, RowQuery, Snapshot } from '../../store/store.ts'

interface Kept {
  readonly checkpoint: Checkpoint
  readonly rows: ReadonlyMap<string, Json>
}

/** What a projection has that is in no store. */
const nothing: Kept = { checkpoint: { position: 0, term: 0, note: {} }, rows: new Map() }

/** The answer to a step that was computed from another checkpoint. */
export const checkpointConflict = 'CHECKPOINT_CONFLICT'

export class ModelRows {
  readonly #projections = new Map<string, Kept>()
  #snapshots: readonly Snapshot[] = []
  readonly #leases = new Map<string, Lease>()
  /** The keys of rows in the store's own order. */
  readonly #order: readonly string[]

  constructor(order: readonly string[]) {
    this.#order = order
  }

  save(projection: string, { from, to, rows }: ProjectionStep): 'saved' | typeof checkpointConflict {
    const kept = this.#projections.get(projection) ?? nothing
    if (kept.checkpoint.position !== from.position || kept.checkpoint.term !== from.term) return checkpointConflict
    const changed = new Map(kept.rows)
    for (const { key, value } of rows) {
      if (value === undefined) changed.delete(key)
      else changed.set(key, value)
    }
    this.#projections.set(projection, { checkpoint: to, rows: changed })
    return 'saved'
  }

  checkpoint(projection: string): Checkpoint {
    return (this.#projections.get(projection) ?? nothing).checkpoint
  }

  values(projection: string, keys: readonly string[]): readonly (Json | undefined)[] {
    return keys.map((key) => this.#projections.get(projection)?.rows.get(key))
  }

  /** The rows within prefix and `after`, and of these the keys of the rows that meet the conditions. */
  list(
    projection: string,
    { after, prefix = '', where = [] }: RowQuery,
  ): { readonly rows: readonly Row[]; readonly wanted: readonly string[] } {
    const kept = this.#projections.get(projection) ?? nothing
    const first = after === undefined ? 0 : this.#order.indexOf(after) + 1
    const within = this.#order.slice(first).filter((key) => key.startsWith(prefix) && kept.rows.has(key))
    const rows = within.map((key) => ({ key, value: kept.rows.get(key)! }))
    const wanted = rows.filter(({ value }) => where.every((condition) => meets(value, condition)))
    return { rows, wanted: wanted.map(({ key }) => key) }
  }

  reset(projection: string): void {
    this.#projections.delete(projection)
  }

  saveSnapshot(snapshot: Snapshot, keep: number): void {
    const own = this.#snapshots.filter((each) => isOf(snapshot.stream, each) && each.sequence !== snapshot.sequence)
    const newest = [...own, snapshot].sort((a, b) => b.sequence - a.sequence).slice(0, keep)
    this.#snapshots = [...this.#snapshots.filter((each) => !isOf(snapshot.stream, each)), ...newest]
  }

  loadSnapshot(stream: StreamId, atOrBefore: number = Number.POSITIVE_INFINITY): Snapshot | undefined {
    return this.#snapshots
      .filter((each) => isOf(stream, each) && each.sequence <= atOrBefore)
      .sort((a, b) => b.sequence - a.sequence)[0]
  }

  acquireLease(
    lease: string,
    owner: string,
    { durationMs, now }: { readonly durationMs: number; readonly now: number },
  ): Lease {
    const held = this.#leases.get(lease)
    if (held !== undefined && held.owner !== owner && held.expiresAt > now) return held
    const taken = { owner, expiresAt: now + durationMs }
    this.#leases.set(lease, taken)
    return taken
  }

  releaseLease(lease: string, owner: string): void {
    if (this.#leases.get(lease)?.owner === owner) this.#leases.delete(lease)
  }
}

const isOf = ({ aggregate, id }: StreamId, { stream }: Snapshot) => stream.aggregate === aggregate && stream.id === id

function meets(value: Json | undefined, condition: Condition): boolean {
  if (!isRecord(value) || !Object.hasOwn(value, condition.field)) return false
  const found = value[condition.field]!
  if ('oneOf' in condition) return condition.oneOf.some((one) => one === found)
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = condition
  return typeof found === 'number' ? found >= least && found <= most : isRecord(found)
}

const isRecord = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
