/**
 * What a reaction keeps beside its checkpoint: its states, commands that wait for their time, and answers that a
 * handler has acted on. A command that made events is in the log for good; one that was rejected, or had nothing to do,
 * left no trace, and a handler that runs again must get the same answer again, or it would take the other way after
 * half of the first.
 */
import { decode, encode } from '../../domain/encoding.ts'
import type { Outcome } from '../../domain/outcome.ts'
import { Rejection } from '../../domain/rejection.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import { rowPages } from '../stored/row-pages.ts'
import { Timers } from './timers.ts'

/** An answer that left no trace in the log: a rejection, or where the stream was when there was nothing to do. */
export type Remembered =
  | { readonly rejection: Rejection<string, unknown> }
  | { readonly sequence: number; readonly position: number }

const pageSize = 1000
const answerPrefix = 'answer '
const statePrefix = 'state '

/** The row of the answer to a command that was sent because of an event. */
export const answerKey = (position: number, command: string): string => `${answerPrefix}${position}:${command}`

/** Whether a row holds a state. */
export const isState = (key: string): boolean => key.startsWith(statePrefix)

/** The row of the state that is remembered under a key. */
export const stateKey = (key: string): string => `${statePrefix}${key}`

/** The position of the event because of which a command was sent. */
const positionOfAnswer = (key: string): number => Number(key.slice(answerPrefix.length).split(':')[0])

export class ReactionRows {
  readonly timers: Timers = new Timers()
  readonly #onLoad: () => void
  /** By the position of the event, then by the key of the row. */
  readonly #answers = new Map<number, Map<string, Remembered>>()

  /** @param onLoad told when all is forgotten that was known */
  constructor(onLoad: () => void) {
    this.#onLoad = onLoad
  }

  /** Forgets all, and reads what is stored; states and timers are read when they are wanted. */
  async load(store: ProjectionStore, name: string, breath: Breath): Promise<void> {
    this.#onLoad()
    this.timers.load(store, name)
    this.#answers.clear()
    for await (const rows of rowPages(store, name, { prefix: answerPrefix, limit: pageSize })) {
      this.apply(rows)
      await breath.pause()
    }
  }

  /** Takes over rows that were saved; passes over those that are of other kinds. */
  apply(rows: readonly Row[]): void {
    this.timers.apply(rows)
    for (const { key, value } of rows) {
      if (!key.startsWith(answerPrefix)) continue
      const position = positionOfAnswer(key)
      const answers = this.#answers.get(position) ?? new Map<string, Remembered>()
      if (value === undefined) answers.delete(key)
      else answers.set(key, rememberedOf(decode(value) as StoredAnswer))
      if (answers.size > 0) this.#answers.set(position, answers)
      else this.#answers.delete(position)
    }
  }

  /** What a command was answered, if that is not in the log. */
  answer(key: string): Remembered | undefined {
    return this.#answers.get(positionOfAnswer(key))?.get(key)
  }

  /** The rows that are worth nothing any more once an event is handled. */
  handled(position: number): readonly Row[] {
    return Array.from(this.#answers.get(position)?.keys() ?? [], (key) => ({ key, value: undefined }))
  }
}

type StoredAnswer =
  | { readonly code: string; readonly details?: unknown }
  | { readonly sequence: number; readonly position: number }

function rememberedOf(stored: StoredAnswer): Remembered {
  return 'code' in stored ? { rejection: new Rejection(stored.code, stored.details) } : stored
}

/**
 * The row that keeps an answer; none for one that is in the log, or is worth nothing.
 *
 * @throws InputError `DATA_NOT_JSON` if the details of a rejection cannot be kept
 */
export function answerRow(key: string, outcome: Outcome): Row | undefined {
  if (outcome.accepted) {
    const { sequence, position, events } = outcome
    return events.length > 0 ? undefined : { key, value: { sequence, position } }
  }
  if (!(outcome.rejection instanceof Rejection)) return undefined
  const { code, details } = outcome.rejection
  return { key, value: encode(`The rejection ${code}`, { code, details }) }
}
