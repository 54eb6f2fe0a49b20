/**
 * Saves steps. A step is one atomic batch: its rows, and last the checkpoint, which must still be the message that was
 * compared. A killed process therefore leaves nothing unfinished.
 *
 * A step with too many rows for a batch is first written ahead, in parts that nobody reads. Then the checkpoint is
 * replaced by one that names the parts: this is the step. Then each part is put in its places by an atomic batch that
 * also counts the parts that are done. If the process ends, whoever uses the projection next goes on from there. The
 * count is compared too, so a process that comes late cannot put old rows over newer ones.
 *
 * If a quota or the space of a single server ends within a batch, it keeps the first rows without the checkpoint. The
 * process that has the step saves it once more before anything else. Others see rows that are newer than the
 * checkpoint, and go no further: an older value of these rows is gone.
 */
import { randomUUID } from 'node:crypto'
import { StoreError } from '../../../domain/error.ts'
import type { ProjectionStep, Row } from '../../store.ts'
import type { Outgoing } from '../database/connection.ts'
import { isWrongLastSequence, mayBeUnfinished } from '../database/failure.ts'
import type { Database } from '../database/setup.ts'
import type { CheckpointMessages, CheckpointText, Known } from './checkpoint-message.ts'
import { writeValue } from './value-message.ts'

/** Bounds of one atomic batch, with room for the checkpoint. */
const batchRowsMax = 900
const batchBytesMax = 4_000_000
/** How long the mark of a deleted row is kept, so that other processes learn of it. */
export const goneSeconds = 3600
const looksMax = 1000

/** A row in its written form. An empty text marks a deletion. */
interface WrittenRow {
  readonly key: string
  readonly data: string
}

/** The rows of a step, the last one for each key. @throws InputError `DATA_NOT_JSON` */
export function writtenRows(rows: readonly Row[], payloadMax: number): readonly WrittenRow[] {
  const last = new Map(rows.map(({ key, value }) => [key, value]))
  return Array.from(last, ([key, value]) => ({
    key,
    data: value === undefined ? '' : writeValue(`The row ${key}`, [key, value], payloadMax),
  }))
}

/** What replaces a checkpoint, and how far it got is unknown. */
interface Replacement {
  readonly expected: number
  readonly content: CheckpointText
  readonly rows: readonly WrittenRow[]
}

export class Steps {
  readonly #database: Database
  readonly #label: string
  readonly #checkpoints: CheckpointMessages
  /** By projection. */
  readonly #doubtful = new Map<string, Replacement>()

  constructor(database: Database, label: string, checkpoints: CheckpointMessages) {
    this.#database = database
    this.#label = label
    this.#checkpoints = checkpoints
  }

  /** @returns the new checkpoint; nothing if the known one was replaced meanwhile, and nothing changed */
  async save(
    projection: string,
    { sequence, content }: Known,
    to: ProjectionStep['to'],
    rows: readonly WrittenRow[],
  ): Promise<Known | undefined> {
    if (content.hasOldRows) await this.#removeOldRows(projection, sequence)
    const next: CheckpointText = { position: to.position, term: to.term, note: to.note, build: content.build }
    const parts = partsOf(rows)
    if (parts.length <= 1) {
      const saved = await this.#replace(projection, sequence, next, parts[0] ?? [])
      return saved === undefined ? undefined : { sequence: saved, content: next }
    }
    const token = randomUUID()
    const prefix = `${this.#checkpoints.partsOf(projection)}.${token}`
    await this.#writeAhead(prefix, parts)
    const pending = { token, parts: parts.length, done: 0 }
    const saved = await this.#replace(projection, sequence, { ...next, pending }, [])
    if (saved === undefined) return undefined
    // The step is saved. If its rows cannot be put in their places now, the next process does that.
    const known = { sequence: saved, content: { ...next, pending } }
    return (await this.#settle(projection, known).catch(() => {})) ?? known
  }

  /** If a part cannot be written, those before it are removed: in a full stream they would take the last room. */
  async #writeAhead(prefix: string, parts: readonly (readonly WrittenRow[])[]): Promise<void> {
    const { state } = this.#database
    try {
      for (const [part, some] of parts.entries()) {
        await state.publish(some.map((row, i) => ({ subject: `${prefix}.${part}.${i}`, data: partOf(row) })))
      }
    } catch (error) {
      await state.purge(`${prefix}.>`).catch(() => {})
      throw error
    }
  }

  /** Saves a step once more of which the server may have only the beginning. @returns whether there was one */
  async saveAgain(projection: string): Promise<boolean> {
    const doubtful = this.#doubtful.get(projection)
    if (doubtful === undefined) return false
    const { expected, content, rows } = doubtful
    await this.#replace(projection, expected, content, rows)
    return true
  }

  /** @throws StoreError `STORE_CORRUPT` if there are rows of a step whose checkpoint is missing */
  async checkWhole(projection: string, { sequence }: Known): Promise<void> {
    const { state, subjects } = this.#database
    if (state.isReplicated) return
    const newer = await state.next(sequence + 1, `${subjects.projection(projection)}.k.>`)
    if (newer === undefined || (await this.#checkpoints.find(projection)).sequence !== sequence) return
    const where = `the rows of ${projection}`
    const reason =
      'the space of the server ended within a step, of which it kept the first rows. Rebuild the projection'
    throw new StoreError('STORE_CORRUPT', { store: this.#label, where, reason })
  }

  /** The checkpoint of a projection, with all rows in their places. */
  async settled(projection: string): Promise<Known> {
    for (let look = 0; look < looksMax; look++) {
      const known = await this.#checkpoints.find(projection)
      if (known.content.pending === undefined) return known
      const settled = await this.#settle(projection, known)
      if (settled !== undefined) return settled
    }
    const doing = `putting the rows of ${projection} in their places`
    throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing })
  }

  /** Begins a new build without rows, at the first position. @returns whether the known checkpoint was still there */
  async reset(projection: string, { sequence, content }: Known): Promise<boolean> {
    const build = content.build + 1
    const next: CheckpointText = { position: 0, term: 0, note: {}, build, hasOldRows: true }
    const saved = await this.#replace(projection, sequence, next, [])
    if (saved === undefined) return false
    // What is left is removed before the next step.
    await this.#removeOldRows(projection, saved).catch(() => {})
    return true
  }

  /** @returns the checkpoint when all is done; nothing if another process has changed it meanwhile */
  async #settle(projection: string, known: Known): Promise<Known | undefined> {
    const { pending, ...rest } = known.content
    const { token, parts, done } = pending!
    let { sequence } = known
    for (let part = done; part < parts; part++) {
      const rows = await this.#partOf(projection, token, part)
      const isLast = part === parts - 1
      const content = isLast ? rest : { ...rest, pending: { token, parts, done: part + 1 } }
      const next = await this.#replace(projection, sequence, content, rows)
      if (next === undefined) return undefined
      sequence = next
    }
    // Whoever writes parts before this checkpoint cannot save them any more.
    await this.#database.state.purge(`${this.#checkpoints.partsOf(projection)}.>`, sequence).catch(() => {})
    return { sequence, content: rest }
  }

  async #partOf(projection: string, token: string, part: number): Promise<readonly WrittenRow[]> {
    const { state } = this.#database
    const prefix = `${this.#checkpoints.partsOf(projection)}.${token}.${part}`
    const subjects = await state.subjects(`${prefix}.*`)
    const where = `the rows of ${projection} that are written ahead`
    const found = await state.lastOf(subjects)
    if (subjects.length === 0)
      throw new StoreError('STORE_CORRUPT', { store: this.#label, where, reason: 'a part is missing' })
    return subjects.map((subject) => rowOf(found.get(subject)!.data))
  }

  async #replace(
    projection: string,
    expected: number,
    content: CheckpointText,
    rows: readonly WrittenRow[],
  ): Promise<number | undefined> {
    const messages: Outgoing[] = rows.map(({ key, data }) => ({
      subject: this.#checkpoints.rowOf(projection, content.build, key),
      data,
      ...(data === '' && { ttlSeconds: goneSeconds }),
    }))
    const data = writeValue(`The checkpoint of ${projection}`, content, this.#payloadMax)
    messages.push({ subject: this.#checkpoints.subjectOf(projection), data, expected })
    const { state } = this.#database
    try {
      const saved = await state.publish(messages)
      this.#doubtful.delete(projection)
      return saved
    } catch (error) {
      if (isWrongLastSequence(error)) {
        this.#doubtful.delete(projection)
        return undefined
      }
      if (rows.length > 0 && !state.isReplicated && mayBeUnfinished(error)) {
        this.#doubtful.set(projection, { expected, content, rows })
      }
      throw error
    }
  }

  /** A build's rows are written after its first checkpoint. Everything before it is of earlier builds. */
  async #removeOldRows(projection: string, before: number): Promise<void> {
    const { state, subjects } = this.#database
    await state.purge(`${subjects.projection(projection)}.k.>`, before)
    await state.purge(`${this.#checkpoints.partsOf(projection)}.>`, before)
  }

  get #payloadMax(): number {
    return this.#database.connection.server.payloadMax
  }
}

/** A row that is written ahead: the length of its key, the key, and its content as it will be stored. */
const partOf = ({ key, data }: WrittenRow): string => `${key.length}:${key}${data}`

function rowOf(bytes: Uint8Array): WrittenRow {
  const text = Buffer.from(bytes).toString()
  const end = text.indexOf(':') + 1
  const length = Number(text.slice(0, end - 1))
  return { key: text.slice(end, end + length), data: text.slice(end + length) }
}

/** Rows in portions that fit in an atomic batch. */
function partsOf(rows: readonly WrittenRow[]): readonly (readonly WrittenRow[])[] {
  const parts: WrittenRow[][] = []
  let bytes = 0
  for (const row of rows) {
    const size = row.data.length
    const part = parts.at(-1)
    if (part === undefined || part.length >= batchRowsMax || bytes + size > batchBytesMax) {
      parts.push([row])
      bytes = size
    } else {
      part.push(row)
      bytes += size
    }
  }
  return parts
}
