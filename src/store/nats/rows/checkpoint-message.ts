/**
 * A projection's checkpoint: one message, which every step replaces by compare-and-set. It is the last message of each
 * atomic batch. Whoever sees it therefore sees the rows of its step, and a row with a higher sequence is of a later
 * step.
 */
import type { Json, JsonObject } from '../../../domain/json.ts'
import { noCheckpoint } from '../../checkpoint.ts'
import type { Checkpoint } from '../../store.ts'
import { isRecord, isText, isWhole } from '../database/checked-text.ts'
import type { Database } from '../database/setup.ts'
import { tokenOf } from '../database/subjects.ts'
import { readValue } from './value-message.ts'

/** The content of the message. */
export interface CheckpointText {
  readonly position: number
  readonly term: number
  readonly note: JsonObject
  /** Counts the resets: rows of earlier builds are deleted, whether or not they were removed yet. */
  readonly build: number
  /** Whether rows of earlier builds may still be there. */
  readonly hasOldRows?: boolean
  /** A step that is saved, and whose rows are not in their places yet: from this part on. */
  readonly pending?: Pending
}

/** Rows that were written ahead, in parts. */
export interface Pending {
  readonly token: string
  readonly parts: number
  /** The number of parts that are in their places. */
  readonly done: number
}

/** A checkpoint as it is stored, and the sequence of its message; 0 before the first step. */
export interface Known {
  readonly sequence: number
  readonly content: CheckpointText
}

const nothing: Known = Object.freeze({ sequence: 0, content: { ...noCheckpoint, build: 1 } })

export class CheckpointMessages {
  readonly #database: Database
  readonly #label: string

  constructor(database: Database, label: string) {
    this.#database = database
    this.#label = label
  }

  subjectOf(projection: string): string {
    return `${this.#database.subjects.projection(projection)}.c`
  }

  /** The prefix of the rows' subjects. */
  rowsOf(projection: string, build: number): string {
    return `${this.#database.subjects.projection(projection)}.k.${build}`
  }

  rowOf(projection: string, build: number, key: string): string {
    return `${this.rowsOf(projection, build)}.${tokenOf(key)}`
  }

  /** The prefix of the subjects of rows that were written ahead. */
  partsOf(projection: string): string {
    return `${this.#database.subjects.projection(projection)}.w`
  }

  async find(projection: string): Promise<Known> {
    const subject = this.subjectOf(projection)
    const message = (await this.#database.state.lastOf([subject])).get(subject)
    if (message === undefined) return nothing
    const where = `the checkpoint of ${projection}`
    const content = readValue(message, isCheckpoint, { store: this.#label, where })
    return content === undefined ? nothing : { sequence: message.sequence, content }
  }
}

export const checkpointOf = ({ content }: Known): Checkpoint => {
  const { position, term, note } = content
  return { position, term, note }
}

/** A row as it is stored: its key and its value. */
export type StoredRow = readonly [key: string, value: Json]

export const isStoredRow = (value: unknown): value is StoredRow =>
  Array.isArray(value) && value.length === 2 && isText(value[0])

function isCheckpoint(value: unknown): value is CheckpointText {
  if (!isRecord(value)) return false
  const { position, term, note, build, hasOldRows, pending } = value
  return (
    isWhole(position) &&
    isWhole(term) &&
    isRecord(note) &&
    isWhole(build, 1) &&
    (hasOldRows === undefined || typeof hasOldRows === 'boolean') &&
    (pending === undefined || isPending(pending))
  )
}

const isPending = (value: unknown): boolean =>
  isRecord(value) && isText(value['token']) && isWhole(value['parts'], 1) && isWhole(value['done'])
