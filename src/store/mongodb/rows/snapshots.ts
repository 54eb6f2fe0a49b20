/**
 * Snapshots: one document for each, with the state as text. Each has its own place, so an older one never replaces a
 * newer one.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { Snapshot } from '../../store.ts'
import type { Database } from '../database/database.ts'
import { checkFields, type FieldCheck, text, whole } from '../database/fields.ts'
import { indexes } from '../database/indexes.ts'
import { fromText, toText } from '../database/json-text.ts'

interface SnapshotDocument {
  readonly sequence: number
  readonly stateRevision: number
  readonly checksum: number
  readonly fingerprint: string
  readonly takenAt: number
  readonly state: string
}

const fields: Readonly<Record<string, FieldCheck>> = {
  sequence: whole,
  stateRevision: whole,
  checksum: whole,
  fingerprint: text,
  takenAt: whole,
  state: text,
}

export class Snapshots {
  readonly #database: Database
  readonly #label: string

  constructor(database: Database, label: string) {
    this.#database = database
    this.#label = label
  }

  async save(snapshot: Snapshot, keep: number): Promise<void> {
    const { stream, sequence, stateRevision, checksum, fingerprint, state, takenAt } = snapshot
    const { aggregate, id } = stream
    const $set = {
      stateRevision,
      checksum: BigInt(checksum),
      fingerprint,
      takenAt: BigInt(Math.floor(takenAt)),
      state: toText('The state', state),
    }
    const u = { $set }
    const update = [{ q: { aggregate, id, sequence: BigInt(sequence) }, u, upsert: true }]
    const { duplicate } = await this.#database.update('snapshots', update)
    // Two writers made the same document at once. It exists now, and can be updated.
    if (duplicate !== undefined) await this.#database.update('snapshots', update)
    const [superfluous] = await this.#database.find<SnapshotDocument>('snapshots', {
      filter: { aggregate, id },
      sort: { sequence: -1 },
      skip: keep,
      limit: 1,
      projection: { sequence: 1 },
      hint: indexes.bySnapshot,
    })
    if (superfluous === undefined) return
    await this.#database.remove('snapshots', [{ aggregate, id, sequence: { $lte: BigInt(superfluous.sequence) } }])
  }

  async load(stream: StreamId, atOrBefore: number): Promise<Snapshot | undefined> {
    const { aggregate, id } = stream
    const bound = BigInt(Math.min(atOrBefore, Number.MAX_SAFE_INTEGER))
    const [found] = await this.#database.find<SnapshotDocument>('snapshots', {
      filter: { aggregate, id, sequence: { $lte: bound } },
      sort: { sequence: -1 },
      limit: 1,
      hint: indexes.bySnapshot,
    })
    if (found === undefined) return undefined
    const { sequence, stateRevision, checksum, fingerprint, takenAt, state } = found
    const where = `the snapshot of ${aggregate} ${JSON.stringify(id)} at ${sequence}`
    checkFields(found, fields, { store: this.#label, where })
    const value = fromText(state, this.#label, where)
    return { stream, sequence, stateRevision, checksum, fingerprint, takenAt, state: value }
  }
}
