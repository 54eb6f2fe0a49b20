/**
 * Commands that a reaction has scheduled, as they are stored: rows beside the checkpoint whose keys have the order in
 * which they are due, then in which they were scheduled.
 */
import type { JsonObject } from '../../domain/json.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { Row } from '../../store/store.ts'

/** A command that waits for its time, as it is stored. */
export interface Timer {
  /** In whole milliseconds since 1970. */
  readonly dueAt: number
  readonly command: JsonObject
  /** The id that the command is sent with; left out where the handler has given it one. */
  readonly derivedId?: string
  /** How often it has failed; left out for one that has not. */
  readonly tries?: number
}

/** With the key of its row. */
export interface WaitingTimer extends Timer {
  readonly key: string
}

/** What the keys of timers begin with. */
export const timerPrefix = 'timer '
const digits = 16
const digitsOfNumber = 6
/** The last moment that a Date can be. */
const latest = 8.64e15

/**
 * The moment at which something is due that is due at a time: the whole millisecond from which on it is not too early.
 */
export const momentOf = (time: number): number => Math.min(Math.max(Math.ceil(time), 0), latest)

/**
 * The row of the n-th command that an event has scheduled. Rows are in the order in which they are due, then in which
 * they were scheduled.
 */
export function timerRow(timer: Timer, position: number, n: number): Row {
  const key = `${timerPrefix}${padded(timer.dueAt, digits)} ${padded(position, digits)}:${padded(n, digitsOfNumber)}`
  return { key, value: { ...timer } }
}

/** The row of a command that has failed so often, and is sent again when it is due at a time. */
export function laterRow({ key, command, derivedId }: WaitingTimer, dueAt: number, tries: number): Row {
  const moment = momentOf(dueAt)
  const value = { dueAt: moment, command, ...(derivedId !== undefined && { derivedId }), ...(tries > 0 && { tries }) }
  return { key: `${timerPrefix}${padded(moment, digits)} ${nameOfTimer(key)}`, value }
}

/** Tells a command from all others that were scheduled, whenever it is due. */
export const nameOfTimer = (key: string): string => key.slice(timerPrefix.length + digits + 1)

/** The position of the event that has scheduled a command. */
export const positionOfTimer = (key: string): number => Number(nameOfTimer(key).split(':')[0])

/** Whether a row is that of a command which an event up to a position has scheduled. */
export const isTimerUpTo = (key: string, position: number): boolean =>
  key.startsWith(timerPrefix) && positionOfTimer(key) <= position

/** A scheduled command, as it is called in a sentence. */
export function calledTimer({ command }: Timer): string {
  const { name, aggregate, id } = command as unknown as PlainCommand
  return `the scheduled command ${name} on ${aggregate} ${JSON.stringify(id)}`
}

const padded = (number: number, width: number): string => String(number).padStart(width, '0')
