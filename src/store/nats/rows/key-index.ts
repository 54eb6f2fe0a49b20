/**
 * The keys of rows in order, for listing. A server keeps all subjects in memory, but lists them only as a whole, and in
 * no order of keys. The keys of a projection are therefore asked for at the first listing, and kept in order. From then
 * on they follow the steps: those of this process, and those of others by the messages after the known checkpoint.
 */

import { elapsedMs } from '../../../runtime/timers.ts'
import { OrderedKeys } from '../../ordered-keys.ts'
import type { Stored } from '../database/connection.ts'
import type { Database } from '../database/setup.ts'
import { lastTokenOf, nameOf } from '../database/subjects.ts'
import { type CheckpointMessages, isStoredRow, type Known } from './checkpoint-message.ts'
import { goneSeconds } from './steps.ts'
import { readValue } from './value-message.ts'

/** The keys of one build of a projection, as of a checkpoint. */
interface Keys {
  readonly build: number
  readonly keys: OrderedKeys
  sequence: number
  /** When they were last complete, by this process's clock. Marks of deleted rows are kept for a while only. */
  at: number
}

const keysMax = 2_000_000
const messagesMax = 1000
const bytesMax = 4_000_000
const loadsMax = 10
const ageMsMax = (goneSeconds * 1000) / 2

export class KeyIndex {
  readonly #database: Database
  readonly #label: string
  readonly #checkpoints: CheckpointMessages
  readonly #known = new Map<string, Keys>()

  constructor(database: Database, label: string, checkpoints: CheckpointMessages) {
    this.#database = database
    this.#label = label
    this.#checkpoints = checkpoints
  }

  /** The keys as of a checkpoint, or of a later one. */
  async at(projection: string, { sequence, content }: Known): Promise<OrderedKeys> {
    const known = this.#known.get(projection)
    if (known !== undefined && known.build === content.build && elapsedMs() - known.at < ageMsMax) {
      if (known.sequence >= sequence || (await this.#follow(projection, known, sequence))) return known.keys
    }
    return this.#load(projection, content.build, sequence)
  }

  /** Notes a step of this process. */
  add(projection: string, before: Known, sequence: number, rows: readonly { key: string; data: string }[]): void {
    const known = this.#known.get(projection)
    if (known === undefined || known.build !== before.content.build || known.sequence !== before.sequence) return
    for (const { key, data } of rows) {
      if (data === '') known.keys.delete(key)
      else known.keys.add(key)
    }
    known.sequence = sequence
    known.at = elapsedMs()
  }

  async #load(projection: string, build: number, sequence: number): Promise<OrderedKeys> {
    const { state } = this.#database
    const start = elapsedMs()
    const keys = new OrderedKeys()
    const long: string[] = []
    let count = 0
    for (const subject of await state.subjects(`${this.#checkpoints.rowsOf(projection, build)}.*`)) {
      const key = nameOf(lastTokenOf(subject))
      if (key === undefined) long.push(subject)
      else keys.add(key)
      count++
    }
    for (const message of (await state.lastOf(long)).values()) {
      const key = this.#keyIn(message)
      if (key !== undefined) keys.add(key)
    }
    if (count <= keysMax) this.#known.set(projection, { build, keys, sequence, at: start })
    return keys
  }

  /** @returns whether it has seen everything up to the checkpoint */
  async #follow(projection: string, known: Keys, sequence: number): Promise<boolean> {
    const { state, subjects } = this.#database
    const filter = `${subjects.projection(projection)}.>`
    const prefix = `${this.#checkpoints.rowsOf(projection, known.build)}.`
    const start = elapsedMs()
    let from = known.sequence + 1
    for (let reads = 0; reads < loadsMax; reads++) {
      const { messages, pending } = await state.read(from, { subject: filter, count: messagesMax, bytesMax })
      for (const message of messages) {
        if (!message.subject.startsWith(prefix)) continue
        const key = nameOf(lastTokenOf(message.subject)) ?? this.#keyIn(message)
        // A long key cannot be read from the mark of its deletion.
        if (key === undefined) return false
        if (message.data.length === 0) known.keys.delete(key)
        else known.keys.add(key)
      }
      const last = messages.at(-1)?.sequence ?? 0
      if (last >= sequence) {
        // The last message of a step is its checkpoint. Rows of a later step that are here as well do no harm.
        known.sequence = sequence
        known.at = start
        return true
      }
      if (pending === 0) return false
      from = last + 1
    }
    return false
  }

  #keyIn(message: Stored): string | undefined {
    return readValue(message, isStoredRow, { store: this.#label, where: `the row ${message.subject}` })?.[0]
  }
}
