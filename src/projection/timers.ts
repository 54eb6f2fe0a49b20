/**
 * Scheduled commands of a reaction, waiting for their time. Their rows are keyed by when they are due, so the store gives the next ones in
 * pages: however many wait, only a window of those that are due first is in memory, and asking for the first one costs nothing.
 *
 * The window is all that is stored up to its end. What is saved later falls into it or lies behind it, by its key; nothing is saved
 * while the window is being filled.
 */
import type { JsonObject } from '../domain/json.ts'
import type { PlainCommand } from '../domain/plain-command.ts'
import { firstFrom } from '../store/sorted-keys.ts'
import type { ProjectionStore, Row, RowPage } from '../store/store.ts'

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

const prefix = 'timer '
/** Timers read at once. The window is never larger than two pages. */
const pageSize = 250
const digits = 16
const digitsOfNumber = 6
/** The last moment that a Date can be. */
const latest = 8.64e15

/** The moment at which something is due that is due at a time: the whole millisecond from which on it is not too early. */
export const momentOf = (time: number): number => Math.min(Math.max(Math.ceil(time), 0), latest)

/** The row of the n-th command that an event has scheduled. Rows are in the order in which they are due, then in which they were scheduled. */
export function timerRow(timer: Timer, position: number, n: number): Row {
  const key = `${prefix}${padded(timer.dueAt, digits)} ${padded(position, digits)}:${padded(n, digitsOfNumber)}`
  return { key, value: { ...timer } }
}

/** The row of a command that has failed so often, and is sent again when it is due at a time. */
export function laterRow({ key, command, derivedId }: WaitingTimer, dueAt: number, tries: number): Row {
  const moment = momentOf(dueAt)
  const value = { dueAt: moment, command, ...(derivedId !== undefined && { derivedId }), ...(tries > 0 && { tries }) }
  return { key: `${prefix}${padded(moment, digits)} ${nameOfTimer(key)}`, value }
}

/** Tells a command from all others that were scheduled, whenever it is due. */
export const nameOfTimer = (key: string): string => key.slice(prefix.length + digits + 1)

/** The position of the event that has scheduled a command. */
export const positionOfTimer = (key: string): number => Number(nameOfTimer(key).split(':')[0])

/** Whether a row is that of a command which an event up to a position has scheduled. */
export const isTimerUpTo = (key: string, position: number): boolean =>
  key.startsWith(prefix) && positionOfTimer(key) <= position

/** A scheduled command, as it is called in a sentence. */
export function calledTimer({ command }: Timer): string {
  const { name, aggregate, id } = command as unknown as PlainCommand
  return `the scheduled command ${name} on ${aggregate} ${JSON.stringify(id)}`
}

export class Timers {
  /** The keys in the window, in order. */
  readonly #keys: string[] = []
  readonly #timers = new Map<string, Timer>()
  /** The last key up to which everything that is stored is in the window. */
  #end = prefix
  /** Whether nothing is stored behind the window. */
  #isAll = true
  #list: (after: string) => Promise<RowPage> = async () => ({ rows: [] })

  /** Forgets all, and goes on with what is stored. */
  load(store: ProjectionStore, storage: string): void {
    this.#keys.length = 0
    this.#timers.clear()
    this.#end = prefix
    this.#isAll = false
    this.#list = (after) => store.listRows(storage, { prefix, after, limit: pageSize })
  }

  /** The one that is due first; of several at the same time the one that was scheduled first. */
  async first(): Promise<WaitingTimer | undefined> {
    while (this.#keys.length === 0 && !this.#isAll) await this.#fill()
    const key = this.#keys[0]
    return key === undefined ? undefined : { key, ...this.#timers.get(key)! }
  }

  /** Takes over rows that were saved; passes over those that are of other kinds. */
  apply(rows: readonly Row[]): void {
    for (const { key, value } of rows) {
      if (!key.startsWith(prefix)) continue
      if (value === undefined) this.#delete(key)
      else if (this.#isAll || key <= this.#end) this.#add(key, value as unknown as Timer)
    }
  }

  async #fill(): Promise<void> {
    const { rows, next } = await this.#list(this.#end)
    this.#isAll = next === undefined
    this.#end = next ?? rows.at(-1)?.key ?? this.#end
    for (const { key, value } of rows) this.#add(key, value as unknown as Timer)
  }

  #add(key: string, timer: Timer): void {
    if (!this.#timers.has(key)) this.#keys.splice(firstFrom(this.#keys, key), 0, key)
    this.#timers.set(key, timer)
    if (this.#keys.length <= 2 * pageSize) return
    for (const gone of this.#keys.splice(pageSize)) this.#timers.delete(gone)
    this.#end = this.#keys.at(-1)!
    this.#isAll = false
  }

  #delete(key: string): void {
    if (this.#timers.delete(key)) this.#keys.splice(firstFrom(this.#keys, key), 1)
  }
}

const padded = (number: number, width: number): string => String(number).padStart(width, '0')
