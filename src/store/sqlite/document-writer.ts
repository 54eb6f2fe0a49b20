/** Saves what is kept beside the log, on the writer's thread, inside a transaction that somebody else begins and ends. */
import type { Calls } from './protocol.ts'
import { oneRow, type StatementSet } from './statement-set.ts'
import type { WritingName } from './statements.ts'

export class DocumentWriter {
  readonly #statements: StatementSet<WritingName>

  constructor(statements: StatementSet<WritingName>) {
    this.#statements = statements
  }

  checkpoint(projection: string): number {
    return oneRow<[number]>(this.#statements.checkpoint, projection)?.[0] ?? 0
  }

  /** Compares the checkpoint before anything is written, so a conflict needs no rollback. */
  saveStep({ projection, from, to, rows }: Calls['saveStep']['request']): number {
    const { saveCheckpoint, saveRow, dropRow } = this.#statements
    const actual = this.checkpoint(projection)
    if (actual !== from) return actual
    for (let i = 0; i < rows.length; i += 2) {
      const key = rows[i]!
      const value = rows[i + 1]!
      if (value === null) dropRow.run(projection, key)
      else saveRow.run(projection, key, value)
    }
    saveCheckpoint.run(projection, to)
    return actual
  }

  resetProjection({ projection }: Calls['resetProjection']['request']): null {
    this.#statements.dropRows.run(projection)
    this.#statements.dropProjection.run(projection)
    return null
  }

  saveSnapshot(snapshot: Calls['saveSnapshot']['request']): null {
    const { aggregate, id, sequence, stateRevision, takenAt, state, keep } = snapshot
    this.#statements.saveSnapshot.run(aggregate, id, sequence, stateRevision, takenAt, state)
    this.#statements.dropSnapshots.run(aggregate, id, aggregate, id, keep)
    return null
  }

  acquireLease({ name, owner, durationMs, now }: Calls['acquireLease']['request']): Calls['acquireLease']['answer'] {
    const [heldBy, heldUntil] = oneRow<[string, number]>(this.#statements.lease, name) ?? [owner, 0]
    if (heldBy !== owner && heldUntil > now) return { owner: heldBy, expiresAt: heldUntil }
    const expiresAt = Math.floor(now + durationMs)
    this.#statements.saveLease.run(name, owner, expiresAt)
    return { owner, expiresAt }
  }

  releaseLease({ name, owner }: Calls['releaseLease']['request']): null {
    this.#statements.dropLease.run(name, owner)
    return null
  }
}
