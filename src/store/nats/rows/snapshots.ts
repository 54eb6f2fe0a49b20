/**
 * Snapshots: a message for each, on a subject with its sequence. Saving one removes those that are too many. If a
 * process ends before that, the next save does it.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { Snapshot } from '../../store.ts'
import { isRecord, isText, isWhole } from '../database/checked-text.ts'
import type { Database } from '../database/setup.ts'
import { lastTokenOf } from '../database/subjects.ts'
import { readValue, writeValue } from './value-message.ts'

export class Snapshots {
  readonly #database: Database
  readonly #label: string

  constructor(database: Database, label: string) {
    this.#database = database
    this.#label = label
  }

  async save(snapshot: Snapshot, keep: number): Promise<void> {
    const { state, connection } = this.#database
    const { stream, sequence } = snapshot
    const data = writeValue('The state', snapshot, connection.server.payloadMax)
    await state.publish([{ subject: this.#subjectOf(stream, sequence), data }])
    for (const old of (await this.#sequences(stream)).slice(keep)) await state.purge(this.#subjectOf(stream, old))
  }

  async load(stream: StreamId, atOrBefore: number): Promise<Snapshot | undefined> {
    for (;;) {
      const found = (await this.#sequences(stream)).find((sequence) => sequence <= atOrBefore)
      if (found === undefined) return undefined
      const subject = this.#subjectOf(stream, found)
      const message = (await this.#database.state.lastOf([subject])).get(subject)
      // Otherwise another process has just removed it, because there are newer ones.
      if (message === undefined) continue
      const where = `a snapshot of ${stream.aggregate} ${JSON.stringify(stream.id)}`
      const snapshot = readValue(message, isSnapshot, { store: this.#label, where })
      if (snapshot !== undefined) return snapshot
    }
  }

  /** The sequences of a stream's snapshots, newest first. */
  async #sequences(stream: StreamId): Promise<readonly number[]> {
    const { state, subjects } = this.#database
    const found = await state.subjects(`${subjects.snapshots(stream)}.*`)
    return found.map((subject) => Number(lastTokenOf(subject))).sort((a, b) => b - a)
  }

  #subjectOf(stream: StreamId, sequence: number): string {
    return `${this.#database.subjects.snapshots(stream)}.${sequence}`
  }
}

function isSnapshot(value: unknown): value is Snapshot {
  if (!isRecord(value)) return false
  const { stream, sequence, stateRevision, checksum, fingerprint, state, takenAt } = value
  const isOfStream = isRecord(stream) && isText(stream['aggregate']) && isText(stream['id'])
  const numbers = [sequence, stateRevision, checksum, takenAt]
  return isOfStream && numbers.every((number) => isWhole(number)) && isText(fingerprint) && state !== undefined
}
