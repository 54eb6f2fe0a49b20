/** The data beside the log in the memory store: snapshots, rows with their checkpoints, and leases. */
import { type Json, type JsonObject, toJson } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { checkCheckpoint, noCheckpoint } from '../../checkpoint.ts'
import { OrderedKeys } from '../../ordered-keys.ts'
import { rowPage } from '../../row-page.ts'
import type { Checkpoint, Lease, ProjectionStep, RowPage, RowQuery, Snapshot } from '../../store.ts'

interface ProjectionRows {
  checkpoint: Checkpoint
  readonly rows: Map<string, Json>
  /** Absent before the first request for a page. */
  keys?: OrderedKeys
}

interface HeldLease {
  readonly lease: Lease
  readonly durationMs: number
}

const emptyRows = (): ProjectionRows => ({ checkpoint: noCheckpoint, rows: new Map() })

export class MemoryRows {
  /** The snapshots by aggregate and id, oldest first. */
  readonly #snapshots = new Map<string, Map<string, readonly Snapshot[]>>()
  readonly #projections = new Map<string, ProjectionRows>()
  readonly #leases = new Map<string, HeldLease>()

  saveSnapshot(snapshot: Snapshot, keep: number): void {
    const { aggregate, id } = snapshot.stream
    const ofAggregate = this.#snapshots.get(aggregate) ?? new Map<string, readonly Snapshot[]>()
    this.#snapshots.set(aggregate, ofAggregate)
    const kept = ofAggregate.get(id) ?? []
    const others = kept.filter(({ sequence }) => sequence !== snapshot.sequence)
    const copy = Object.freeze({ ...snapshot, state: toJson('The state', snapshot.state) })
    ofAggregate.set(id, [...others, copy].sort((a, b) => a.sequence - b.sequence).slice(-keep))
  }

  loadSnapshot({ aggregate, id }: StreamId, atOrBefore: number): Snapshot | undefined {
    return this.#snapshots
      .get(aggregate)
      ?.get(id)
      ?.findLast(({ sequence }) => sequence <= atOrBefore)
  }

  loadCheckpoint(projection: string): Checkpoint {
    return this.#projections.get(projection)?.checkpoint ?? noCheckpoint
  }

  loadRows(projection: string, keys: readonly string[]): readonly (Json | undefined)[] {
    const rows = this.#projections.get(projection)?.rows
    return keys.map((key) => rows?.get(key))
  }

  listRows(projection: string, query: RowQuery): RowPage {
    const found = this.#projections.get(projection)
    if (found === undefined) return { rows: [] }
    found.keys ??= OrderedKeys.of(found.rows.keys())
    return rowPage(found.keys, (key) => found.rows.get(key)!, query)
  }

  saveStep(projection: string, { from, to, rows }: ProjectionStep): void {
    const kept = this.#projections.get(projection) ?? emptyRows()
    checkCheckpoint(projection, from, kept.checkpoint)
    const checkpoint = Object.freeze({ ...to, note: toJson('The note of a checkpoint', to.note) as JsonObject })
    const copies = rows.map(
      ({ key, value }) => [key, value === undefined ? value : toJson(`The row ${key}`, value)] as const,
    )
    for (const [key, value] of copies) {
      if (value === undefined) {
        if (kept.rows.delete(key)) kept.keys?.delete(key)
      } else {
        if (!kept.rows.has(key)) kept.keys?.add(key)
        kept.rows.set(key, value)
      }
    }
    kept.checkpoint = checkpoint
    this.#projections.set(projection, kept)
  }

  resetProjection(projection: string): void {
    this.#projections.delete(projection)
  }

  acquireLease(name: string, owner: string, durationMs: number, now: number): Lease {
    const held = this.#leases.get(name)
    // A lease that ends later than its duration allows was taken before the clock went back.
    const isHeld = held !== undefined && held.lease.expiresAt > now && held.lease.expiresAt <= now + held.durationMs
    if (isHeld && held.lease.owner !== owner) return held.lease
    const lease = Object.freeze({ owner, expiresAt: now + durationMs })
    this.#leases.set(name, { lease, durationMs })
    return lease
  }

  releaseLease(name: string, owner: string): void {
    if (this.#leases.get(name)?.lease.owner === owner) this.#leases.delete(name)
  }
}
