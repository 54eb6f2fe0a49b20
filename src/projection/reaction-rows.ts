/**
 * What a reaction keeps beside its checkpoint: its states, commands that wait for their time, and answers that a handler has acted on. A
 * command that made events is in the log for good; one that was rejected, or had nothing to do, left no trace, and a handler that runs
 * again must get the same answer again, or it would take the other way after half of the first.
 */
import { decode, encode } from '../domain/encoding.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Outcome } from '../domain/outcome.ts'
import { Rejection } from '../domain/rejection.ts'
import type { ProjectionStore, Row } from '../store/store.ts'

/** An answer that left no trace in the log: a rejection, or where the stream was when there was nothing to do. */
export type Remembered =
  | { readonly rejection: Rejection<string, unknown> }
  | { readonly sequence: number; readonly position: number }

/** A command that waits for its time, as it is stored. */
export interface Timer {
  /** In milliseconds since 1970. */
  readonly dueAt: number
  readonly command: JsonObject
}

const pageSize = 1000
const timerPrefix = 'timer '
const answerPrefix = 'answer '
const statePrefix = 'state '

/** The row of the n-th command that an event has scheduled. */
export const timerKey = (position: number, n: number): string => `${timerPrefix}${position}:${n}`
/** The row of the answer to a command that was sent because of an event. */
export const answerKey = (position: number, command: string): string => `${answerPrefix}${position}:${command}`

/** The row of the state that is remembered under a key. */
export const stateKey = (key: string): string => `${statePrefix}${key}`

/** The position of the event that has scheduled a command. */
export const positionOfTimer = (key: string): number => Number(key.slice(timerPrefix.length).split(':')[0])

/** A timer whose command waits no more. */
export const withoutTimer = (key: string): Row => ({ key, value: undefined })

export class ReactionRows {
  readonly timers: Map<string, Timer> = new Map()
  readonly #answers = new Map<string, Remembered>()

  /** Forgets all, and reads what is stored; states are read one by one when they are wanted. */
  async load(store: ProjectionStore, name: string): Promise<void> {
    this.timers.clear()
    this.#answers.clear()
    for (const prefix of [timerPrefix, answerPrefix]) {
      for (let after: string | undefined; ; ) {
        const rows = await store.listRows(name, { prefix, limit: pageSize, ...(after !== undefined && { after }) })
        this.apply(rows)
        if (rows.length < pageSize) break
        after = rows.at(-1)!.key
      }
    }
  }

  /** Takes over rows that were saved; passes over those that are of other kinds. */
  apply(rows: readonly Row[]): void {
    for (const { key, value } of rows) {
      if (key.startsWith(timerPrefix)) {
        if (value === undefined) this.timers.delete(key)
        else this.timers.set(key, value as unknown as Timer)
      } else if (!key.startsWith(answerPrefix)) {
        // A state, or something parked.
      } else if (value === undefined) this.#answers.delete(key)
      else this.#answers.set(key, rememberedOf(decode(value) as StoredAnswer))
    }
  }

  /** What a command was answered, if that is not in the log. */
  answer(key: string): Remembered | undefined {
    return this.#answers.get(key)
  }

  /** The rows that are worth nothing any more once an event is handled. */
  handled(position: number): readonly Row[] {
    const prefix = answerKey(position, '')
    return [...this.#answers.keys()].filter((key) => key.startsWith(prefix)).map((key) => ({ key, value: undefined }))
  }

  /** When the first timer is due; infinite if none waits. */
  get nextDueAt(): number {
    let dueAt = Number.POSITIVE_INFINITY
    for (const timer of this.timers.values()) dueAt = Math.min(dueAt, timer.dueAt)
    return dueAt
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
