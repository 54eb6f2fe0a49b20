/**
 * Saves a step without transactions. Its rows are first written into the projection's own document, together with the
 * checkpoint and by compare-and-set. That one change is the step. Then the rows are put in their places, and the copy
 * in the document is dropped. A process that finds pending rows, after a crash or while a runner is still writing them,
 * puts them in their places before anything else. Doing it twice changes nothing.
 *
 * A command may reach the server late, from a process that has long ended. A row is therefore only written over an
 * older one, by the number of its step, and a deleted row stays as a document without a value for an hour. Otherwise a
 * late write could bring it back. If rows are too many for one document, they are written in parts, which count from
 * the moment the document names them.
 */
import { randomUUID } from 'node:crypto'
import { StoreError } from '../../../domain/error.ts'
import type { Checkpoint, CheckpointPlace } from '../../store.ts'
import { type Database, pause, type Update } from '../database/database.ts'
import type { Document } from '../database/driver.ts'
import { indexes } from '../database/indexes.ts'
import { toText } from '../database/json-text.ts'
import { findProjection, type Pending, type ProjectionDocument } from './projection-document.ts'
import { bytesOfRows, chunksOf, type RowText } from './row-documents.ts'

/** The number of bytes of rows that fit in the projection's document. */
const inlineBytesMax = 8_000_000
/** The time after which no command can still reach the server. */
const lateMsMax = 3_600_000
/** The number of steps after which deleted rows are removed. */
const sweepEvery = 200
/** The number of tries. Another process may settle a step just before this one does, but never so often in a row. */
const triesMax = 100

interface Part {
  readonly rows: readonly RowText[]
}

/** A checkpoint as the fields of a document. @throws InputError `DATA_NOT_JSON` if its note is too large for one */
export const checkpointFields = ({ position, term, note }: Checkpoint): Document => ({
  checkpoint: BigInt(position),
  term: BigInt(term),
  note: toText('The note of a checkpoint', note),
})

export class StepAhead {
  readonly #database: Database
  readonly #label: string
  readonly #now: () => number

  constructor(database: Database, label: string, now: () => number) {
    this.#database = database
    this.#label = label
    this.#now = now
  }

  /**
   * Moves the checkpoint from where a step begins, with the rows. @returns false, with nothing changed, if the
   * checkpoint is elsewhere
   */
  async save(
    projection: string,
    { from, to, rows }: { from: CheckpointPlace; to: Checkpoint; rows: readonly RowText[] },
  ): Promise<boolean> {
    const known = await this.settled(projection)
    if ((known?.checkpoint ?? 0) !== from.position || (known?.term ?? 0) !== from.term) return false
    const step = (known?.step ?? (await this.#newestStep(projection))) + 1
    const pending = await this.#writeAhead(projection, step, rows)
    const next = { ...checkpointFields(to), step: BigInt(step), ...(pending && { pending }) }
    if (!(await this.#move(projection, known, next))) {
      if (pending !== undefined && 'token' in pending) await this.#removeUnnamed(projection, pending.token)
      return false
    }
    // The step is saved. If its rows cannot be put in their places now, the next process does that.
    if (pending !== undefined) await this.#settle({ _id: projection, step, pending }).catch(() => {})
    return true
  }

  /** The projection's document, with nothing pending. */
  async settled(projection: string): Promise<ProjectionDocument | undefined> {
    for (let tries = 1; tries <= triesMax; tries++) {
      const known = await findProjection(this.#database, this.#label, projection)
      if (known?.pending === undefined) return known
      await this.#settle(known)
      if (tries > 1) await pause(tries)
    }
    const where = `the rows of ${projection} that are pending`
    throw new StoreError('STORE_CORRUPT', { store: this.#label, where, reason: 'parts of them are missing' })
  }

  /** Deletes the parts of steps up to one, also those of steps that were not saved. */
  async removeParts(projection: string, step: number): Promise<void> {
    await this.#database.remove('step_parts', [{ projection, step: { $lte: BigInt(step) } }])
  }

  /** The step that wrote the newest row beside a document that is gone. An older step would be written over no row. */
  async #newestStep(projection: string): Promise<number> {
    const [newest] = await this.#database.find<{ readonly at: number }>('rows', {
      filter: { projection },
      projection: { at: 1 },
      sort: { at: -1 },
      limit: 1,
      hint: indexes.byRow,
    })
    return Number(newest?.at ?? 0)
  }

  async #move(projection: string, known: ProjectionDocument | undefined, next: object): Promise<boolean> {
    if (known === undefined) {
      const { duplicate } = await this.#database.insert('projections', [{ _id: projection, ...next }])
      return duplicate === undefined
    }
    const q = { _id: projection, step: BigInt(known.step), pending: { $exists: false } }
    const { count } = await this.#database.update('projections', [{ q, u: { $set: next } }])
    return count > 0
  }

  /** Writes rows to a place that a step can name. */
  async #writeAhead(projection: string, step: number, rows: readonly RowText[]): Promise<Pending | undefined> {
    if (rows.length === 0) return undefined
    if (bytesOfRows(rows) <= inlineBytesMax) return { rows }
    const token = randomUUID()
    const chunks = chunksOf(rows)
    try {
      for (const [part, chunk] of chunks.entries()) {
        await this.#database.insert('step_parts', [{ projection, token, part, step: BigInt(step), rows: chunk }])
      }
    } catch (error) {
      // If the disk is full, each further try would take more of it.
      await this.#removeUnnamed(projection, token)
      throw error
    }
    return { token, parts: chunks.length }
  }

  /** Deletes the parts that no step has named, and none will. If that fails, a later step does it. */
  async #removeUnnamed(projection: string, token: string): Promise<void> {
    await this.#database.remove('step_parts', [{ projection, token }]).catch(() => {})
  }

  async #settle({
    _id: projection,
    step,
    pending,
  }: Pick<ProjectionDocument, '_id' | 'step' | 'pending'>): Promise<void> {
    const rows = await this.#pendingRows(projection, pending!)
    // Some parts are missing because another process has settled the step.
    if (rows === undefined) return
    for (const chunk of chunksOf(rows)) await this.#put(projection, step, chunk)
    await this.#database.update('projections', [
      { q: { _id: projection, step: BigInt(step) }, u: { $unset: { pending: '' } } },
    ])
    if ('token' in pending!) await this.removeParts(projection, step)
    if (step % sweepEvery === 0) await this.#sweep(projection, step)
  }

  async #pendingRows(projection: string, pending: Pending): Promise<readonly RowText[] | undefined> {
    if ('rows' in pending) return pending.rows
    const { token } = pending
    const parts = await this.#database.find<Part>('step_parts', {
      filter: { projection, token },
      sort: { part: 1 },
      hint: indexes.byPart,
    })
    return parts.length === pending.parts ? parts.flatMap(({ rows }) => rows) : undefined
  }

  /** Inserts all new rows at once, and writes the others over older ones. */
  async #put(projection: string, step: number, rows: readonly RowText[]): Promise<void> {
    const keys = rows.map(({ key }) => key)
    const query = { filter: { projection, key: { $in: keys } }, projection: { key: 1 }, hint: indexes.byRow } as const
    const known = new Set((await this.#database.find<RowText>('rows', query)).map(({ key }) => key))
    const fresh = rows.filter(({ key }) => !known.has(key))
    const documents = fresh.map((row) => ({ projection, key: row.key, ...this.#contentOf(step, row) }))
    const { duplicate } = documents.length === 0 ? {} : await this.#database.insert('rows', documents)
    const made = new Set(fresh.slice(0, duplicate?.index).map(({ key }) => key))
    await this.#overwrite(
      projection,
      step,
      rows.filter(({ key }) => !made.has(key)),
    )
  }

  /** Looks at a colliding row once more, because it may just have been made and be older. */
  async #overwrite(projection: string, step: number, rows: readonly RowText[]): Promise<void> {
    const updates = rows.map((row) => this.#updateOf(projection, step, row))
    for (let next = 0, again = false; next < updates.length; ) {
      const { duplicate } = await this.#database.update('rows', updates.slice(next))
      if (duplicate === undefined) return
      again = duplicate.index > 0 || !again
      next += duplicate.index + (again ? 0 : 1)
    }
  }

  #updateOf(projection: string, step: number, row: RowText): Update {
    const q = { projection, key: row.key, at: { $lt: BigInt(step) } }
    const $unset = row.value === null ? { value: '' } : { goneAt: '' }
    return { q, u: { $set: this.#contentOf(step, row), $unset }, upsert: true }
  }

  #contentOf(step: number, { value }: RowText): Document {
    return { at: BigInt(step), ...(value === null ? { goneAt: BigInt(Math.floor(this.#now())) } : { value }) }
  }

  /** Also deletes parts of processes that ended before they could name them. */
  async #sweep(projection: string, step: number): Promise<void> {
    await this.removeParts(projection, step)
    await this.#database.remove('rows', [{ projection, goneAt: { $lt: BigInt(Math.floor(this.#now()) - lateMsMax) } }])
  }
}
