/**
 * What a reaction keeps beside its checkpoint: its states, commands that wait for their time, and rejections that a handler has acted on. An
 * accepted command is in the log for good; a rejected one left no trace, and a handler that runs again must get the same
 * answer again, or it would take the other way after half of the first.
 */
import { decode, encode } from '../domain/encoding.ts'
import type { JsonObject } from '../domain/json.ts'
import { Rejection } from '../domain/rejection.ts'
import type { ProjectionStore, Row } from '../store/store.ts'

/** A command that waits for its time, as it is stored. */
export interface Timer {
  /** In milliseconds since 1970. */
  readonly dueAt: number
  readonly command: JsonObject
}

const pageSize = 1000
const timerPrefix = 'timer '
const rejectionPrefix = 'rejection '
const statePrefix = 'state '

/** The row of the n-th command that an event has scheduled. */
export const timerKey = (position: number, n: number): string => `${timerPrefix}${position}:${n}`
/** The row of the rejection of a command that was sent because of an event. */
export const rejectionKey = (position: number, command: string): string => `${rejectionPrefix}${position}:${command}`

/** The row of the state that is remembered under a key. */
export const stateKey = (key: string): string => `${statePrefix}${key}`

/** The position of the event that has scheduled a command. */
export const positionOfTimer = (key: string): number => Number(key.slice(timerPrefix.length).split(':')[0])

/** A timer whose command waits no more. */
export const withoutTimer = (key: string): Row => ({ key, value: undefined })

export class ReactionRows {
  readonly timers: Map<string, Timer> = new Map()
  readonly #rejections = new Map<string, Rejection<string, unknown>>()

  /** Forgets all, and reads what is stored; states are read one by one when they are wanted. */
  async load(store: ProjectionStore, name: string): Promise<void> {
    this.timers.clear()
    this.#rejections.clear()
    for (const prefix of [timerPrefix, rejectionPrefix]) {
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
      } else if (!key.startsWith(rejectionPrefix)) {
        // A state, or something parked.
      } else if (value === undefined) this.#rejections.delete(key)
      else {
        const { code, details } = decode(value) as { readonly code: string; readonly details?: unknown }
        this.#rejections.set(key, new Rejection(code, details))
      }
    }
  }

  rejection(key: string): Rejection<string, unknown> | undefined {
    return this.#rejections.get(key)
  }

  /** The rows that are worth nothing any more once an event is handled. */
  handled(position: number): readonly Row[] {
    const prefix = rejectionKey(position, '')
    return [...this.#rejections.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => ({ key, value: undefined }))
  }

  /** When the first timer is due; infinite if none waits. */
  get nextDueAt(): number {
    let dueAt = Number.POSITIVE_INFINITY
    for (const timer of this.timers.values()) dueAt = Math.min(dueAt, timer.dueAt)
    return dueAt
  }
}

/** @throws InputError `DATA_NOT_JSON` if the details cannot be kept */
export function rejectionRow(key: string, { code, details }: Rejection<string, unknown>): Row {
  return { key, value: encode(`The rejection ${code}`, { code, details }) }
}
