/**
 * Timers: scheduled commands of a reaction, stored as rows beside the checkpoint. Their keys are ordered by the time
 * when they are due, then in the order in which they were scheduled.
 */
import { decode, encode } from '../../domain/encoding.ts'
import { JsonCopier, type JsonObject } from '../../domain/json.ts'
import { unboxed } from '../../domain/personal-fields.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { Row } from '../../store/store.ts'
import { type Form, fieldsOf, formedRow, isText, isTime, isTrue, isWhole, type RowPlace } from './row-value.ts'

/** A scheduled command as it is stored. */
export interface Timer {
  /** When it is due, in whole milliseconds since 1970. */
  readonly dueAt: number
  readonly command: JsonObject
  /** Whether the command was written by `encode`, because some of its data looks like a personal value. */
  readonly isEncoded?: true
  /** The derived id that the command is sent with. Absent if the handler has given it an id. */
  readonly derivedId?: string
  /** How often it has failed. Absent if it has not. */
  readonly tries?: number
  /** The key that the handler has given it. */
  readonly userKey?: string
}

/** A timer with the key of its row. */
export interface WaitingTimer extends Timer {
  readonly key: string
}

/** A command as far as the library looks at it itself. The domain checks the rest when it is sent. */
export const isCommand: Form = fieldsOf({ aggregate: isText, id: isText, name: isText })
export const isTimer: Form = fieldsOf(
  { dueAt: isTime, command: isCommand },
  { isEncoded: isTrue, derivedId: isText, tries: isWhole, userKey: isText },
)

/** The timer of a stored row. @throws StoreError `STORE_CORRUPT` */
export const timerIn = (place: RowPlace, { key, value }: Row): Timer => formedRow(place, key, value, isTimer)

const what = 'The scheduled command'

/** A command as JSON, and as it is stored in a timer. @throws InputError `DATA_NOT_JSON` */
export function storedCommand(command: PlainCommand): {
  readonly json: PlainCommand
  readonly form: Pick<Timer, 'command' | 'isEncoded'>
} {
  const copier = new JsonCopier()
  copier.takesPersonal = true
  const json = copier.copy(command, what, '') as JsonObject
  const form = copier.looksPersonal
    ? { command: encode(what, unboxed(json)) as JsonObject, isEncoded: true as const }
    : { command: json }
  return { json: json as unknown as PlainCommand, form }
}

/** The command of a timer as it was scheduled. */
export const commandOf = ({ command, isEncoded }: Timer): PlainCommand =>
  (isEncoded ? decode(command) : command) as unknown as PlainCommand

/** The prefix of the keys of timers. */
export const timerPrefix = 'timer '
const digits = 16
const digitsOfNumber = 6
/** The latest time that a Date can have. */
const latest = 8.64e15

/** The time at which a timer is due, rounded up to a whole millisecond so that it is never too early. */
export const momentOf = (time: number): number => Math.min(Math.max(Math.ceil(time), 0), latest)

/** The row of the n-th command that an event has scheduled. */
export function timerRow(timer: Timer, position: number, n: number): Row {
  const key = `${timerPrefix}${padded(timer.dueAt, digits)} ${padded(position, digits)}:${padded(n, digitsOfNumber)}`
  return { key, value: { ...timer } }
}

/** The rows of a command that has failed `tries` times and is sent again at a later time. */
export function laterRows(timer: WaitingTimer, dueAt: number, tries: number): readonly Row[] {
  const { key: before, tries: _, ...rest } = timer
  const moment = momentOf(dueAt)
  const key = `${timerPrefix}${padded(moment, digits)} ${nameOfTimer(before)}`
  const row = { key, value: { ...rest, dueAt: moment, ...(tries > 0 && { tries }) } }
  return timer.userKey === undefined ? [row] : [row, keyedRow(timer.userKey, key)]
}

/** The rows that delete a timer whose command is sent or put aside. */
export const withoutTimer = ({ key, userKey }: WaitingTimer): readonly Row[] => [
  { key, value: undefined },
  ...(userKey === undefined ? [] : [keyedRow(userKey, undefined)]),
]

const keyedPrefix = 'keyed '

/** The row that says which timer has a key of the handler's: by the key of its row. */
export const keyedRow = (userKey: string, timer: string | undefined): Row => ({
  key: keyedPrefix + userKey,
  value: timer,
})

/** Whether a row says which timer has a key. */
export const isKeyed = (key: string): boolean => key.startsWith(keyedPrefix)

/** The key of the handler's that a row is about. */
export const userKeyOf = (key: string): string => key.slice(keyedPrefix.length)

/** The part of a timer's key that identifies the command. It does not change when the command gets a new time. */
export const nameOfTimer = (key: string): string => key.slice(timerPrefix.length + digits + 1)

/** The same for people: the position of the event that scheduled it, and which of its commands it is. */
export const idOfTimer = (key: string): string => nameOfTimer(key).split(':').map(Number).join(':')

/** The position of the event that scheduled a command. */
export const positionOfTimer = (key: string): number => Number(nameOfTimer(key).split(':')[0])

/** Whether the row with a key is the timer of an event up to a position. */
export const isTimerUpTo = (key: string, position: number): boolean =>
  key.startsWith(timerPrefix) && positionOfTimer(key) <= position

/** The name of a scheduled command in a sentence. */
export function calledTimer({ command }: Timer): string {
  const { name, aggregate, id } = command as unknown as PlainCommand
  return `the scheduled command ${name} on ${aggregate} ${JSON.stringify(id)}`
}

const padded = (number: number, width: number): string => String(number).padStart(width, '0')
