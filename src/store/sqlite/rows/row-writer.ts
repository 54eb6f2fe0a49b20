/** Saves the data beside the log, on the writer's thread, inside a transaction that the caller begins and ends. */
import type { CheckpointPlace } from '../../store.ts'
import type { Calls } from '../database/protocol.ts'
import { oneRow, type StatementSet } from '../database/statement-set.ts'
import type { WritingName } from '../database/statements.ts'
import { checksumOfValues } from '../log/checksum.ts'
import { type CheckpointRow, checkpointOf } from './checked-rows.ts'

/** How far the times of two callers may be apart, because they read the clock before they have a turn. */
const clockMsOff = 60_000

export class RowWriter {
  readonly #statements: StatementSet<WritingName>

  constructor(statements: StatementSet<WritingName>) {
    this.#statements = statements
  }

  /** Without its note, which nobody who writes needs: the place is sent to another thread. */
  checkpoint(projection: string): CheckpointPlace {
    const { position, term } = checkpointOf(projection, oneRow<CheckpointRow>(this.#statements.checkpoint, projection))
    return { position, term }
  }

  /** Compares the checkpoint before anything is written, so a conflict needs no rollback. */
  saveStep({ projection, from, to, rows }: Calls['saveStep']['request']): CheckpointPlace {
    const { saveCheckpoint, saveRow, dropRow } = this.#statements
    const actual = this.checkpoint(projection)
    if (!isSamePlace(actual, from)) return actual
    for (let i = 0; i < rows.length; i += 2) {
      const key = rows[i]!
      const value = rows[i + 1]!
      if (value === null) dropRow.run(projection, key)
      else saveRow.run(projection, key, value, checksumOfValues(projection, key, value))
    }
    const { position, term, note } = to
    saveCheckpoint.run(projection, position, term, note, checksumOfValues(projection, position, term, note))
    return actual
  }

  resetProjection({ projection }: Calls['resetProjection']['request']): null {
    this.#statements.dropRows.run(projection)
    this.#statements.dropProjection.run(projection)
    return null
  }

  saveSnapshot(snapshot: Calls['saveSnapshot']['request']): null {
    const { aggregate, id, sequence, stateRevision, checksum, fingerprint, takenAt, state, keep } = snapshot
    const { saveSnapshot } = this.#statements
    const values = [aggregate, id, sequence, stateRevision, checksum, fingerprint, takenAt, state] as const
    saveSnapshot.run(...values, checksumOfValues(...values))
    this.#statements.dropSnapshots.run(aggregate, id, aggregate, id, keep)
    return null
  }

  /** A lease that lasts longer than it was taken for was taken by a clock that was ahead, and counts as expired. */
  acquireLease({ name, owner, durationMs, now }: Calls['acquireLease']['request']): Calls['acquireLease']['answer'] {
    const [heldBy, heldUntil, heldMs] = oneRow<[string, number, number]>(this.#statements.lease, name) ?? [owner, 0, 0]
    const isHeld = heldUntil > now && heldUntil <= now + heldMs + clockMsOff
    if (heldBy !== owner && isHeld) return { owner: heldBy, expiresAt: heldUntil }
    const expiresAt = Math.floor(now + durationMs)
    this.#statements.saveLease.run(name, owner, expiresAt, Math.ceil(durationMs))
    return { owner, expiresAt }
  }

  releaseLease({ name, owner }: Calls['releaseLease']['request']): null {
    this.#statements.dropLease.run(name, owner)
    return null
  }
}

/** Whether a checkpoint is where a step began. */
export function isSamePlace(a: CheckpointPlace, b: CheckpointPlace): boolean {
  return a.position === b.position && a.term === b.term
}
