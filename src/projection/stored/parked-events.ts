/**
 * Events that could not be handled and were put aside, and those that queue behind them because they have a key in
 * common. They are rows of the projection or reaction, so they change together with its checkpoint. Their keys begin
 * with a mark (`row-key.ts`).
 */
import type { Json, JsonObject } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Breath } from '../../runtime/breath.ts'
import { sortInPieces } from '../../runtime/sort-in-pieces.ts'
import type { ProjectionStore, Row, StoredEvent } from '../../store/store.ts'
import { ownMark } from './row-key.ts'
import { rowPages } from './row-pages.ts'
import type { Timer, WaitingTimer } from './timer-row.ts'

/** An event that is parked, or a command that it had scheduled. */
export interface ParkedEvent {
  readonly position: number
  readonly type: string
  readonly stream: StreamId
  /** Events with one of these keys queue behind it. */
  readonly keys: readonly string[]
  /** Why it is parked: what was thrown, or behind which key it queues. */
  readonly reason: string
  readonly parkedAt: Date
  /** The scheduled command that could not be sent, if it is not the event itself that is parked. */
  readonly command?: JsonObject
}

/** With what it takes to schedule its command again, or to handle it for the first time. */
interface StoredParkedEvent extends ParkedEvent {
  readonly timer?: Timer
  /** A program that does not handle it has passed it over: it was never tried. */
  readonly isPassedOver?: true
}

const parkedPrefix = `${ownMark}parked `
const pageSize = 1000
const digits = 16

export class ParkedEvents {
  /** By position, then by the keys of their rows. */
  readonly #parked = new Map<number, Map<string, StoredParkedEvent>>()
  /** How many parked events have a key. */
  readonly #blocked = new Map<string, number>()
  /** The positions of those that were never tried, in the order in which they came. */
  readonly #passedOver = new Set<number>()
  #size = 0

  /** Forgets all, and reads what is stored. */
  async load(store: ProjectionStore, name: string, breath: Breath): Promise<void> {
    this.#parked.clear()
    this.#blocked.clear()
    this.#passedOver.clear()
    this.#size = 0
    for await (const row of parkedRows(store, name, breath)) this.apply([row])
  }

  get size(): number {
    return this.#size
  }

  /** Whether an event with such a key has to queue. */
  blocks(key: string): boolean {
    return this.#blocked.has(key)
  }

  /** Whether the event at a position is parked. */
  holds(position: number): boolean {
    return this.#parked.get(position)?.has(parkedKey(position)) === true
  }

  /** The events that were never tried, in the order of the log. */
  *passedOver(): Iterable<ParkedEvent> {
    for (const position of this.#passedOver) yield this.#parked.get(position)!.get(parkedKey(position))!
  }

  /** In the order of the log. */
  all(breath: Breath): Promise<readonly ParkedEvent[]> {
    const all: ParkedEvent[] = []
    for (const there of this.#parked.values()) all.push(...there.values())
    return sortInPieces(all, (a, b) => a.position - b.position, breath)
  }

  /** Takes over rows that were saved; passes over those that are of other kinds. */
  apply(rows: readonly Row[]): void {
    for (const { key, value } of rows) {
      if (!key.startsWith(parkedPrefix)) continue
      const position = positionOf(key)
      const there = this.#parked.get(position) ?? new Map<string, StoredParkedEvent>()
      this.#size -= there.size
      for (const each of there.get(key)?.keys ?? []) this.#count(each, -1)
      if (key === parkedKey(position)) this.#passedOver.delete(position)
      if (value === undefined) there.delete(key)
      else {
        const parked = parkedOf(value)
        if (parked.isPassedOver) this.#passedOver.add(position)
        there.set(key, parked)
        for (const each of parked.keys) this.#count(each, 1)
      }
      this.#size += there.size
      if (there.size > 0) this.#parked.set(position, there)
      else this.#parked.delete(position)
    }
  }

  /** The rows that let what is parked at a position go. */
  rowsWithout(position: number): readonly Row[] {
    return Array.from(this.#parked.get(position)?.keys() ?? [], withoutValue)
  }

  /** The rows that let the scheduled commands that are parked at a position wait for their time again. */
  timerRows(position: number): readonly Row[] {
    return [...(this.#parked.get(position) ?? [])].flatMap(([key, { timer }]) =>
      timer === undefined
        ? []
        : [withoutValue(key), { key: key.slice(parkedKey(position).length + 1), value: { ...timer } }],
    )
  }

  #count(key: string, by: number): void {
    const count = (this.#blocked.get(key) ?? 0) + by
    if (count > 0) this.#blocked.set(key, count)
    else this.#blocked.delete(key)
  }
}

/** What is parked, as it is stored now, in the order of the log. */
export async function listParked(
  store: ProjectionStore,
  name: string,
  breath: Breath,
): Promise<readonly ParkedEvent[]> {
  const parked: ParkedEvent[] = []
  for await (const { value } of parkedRows(store, name, breath)) {
    const { timer: _, isPassedOver: __, ...rest } = parkedOf(value!)
    parked.push(rest)
  }
  return parked
}

/** In the order of the log, which their keys have. */
async function* parkedRows(store: ProjectionStore, name: string, breath: Breath): AsyncGenerator<Row> {
  for await (const rows of rowPages(store, name, { prefix: parkedPrefix, limit: pageSize })) {
    for (const row of rows) {
      if (breath.isDue) await breath.pause()
      yield row
    }
  }
}

/** The row that parks an event, or with `what` a command that it had scheduled. */
export function parkedRow(
  { position, type, stream }: Pick<StoredEvent, 'position' | 'type' | 'stream'>,
  keys: readonly string[],
  reason: string,
  parkedAt: number,
  scheduled?: WaitingTimer,
): Row {
  const key = parkedKey(position) + (scheduled === undefined ? '' : ` ${scheduled.key}`)
  const { aggregate, id } = stream
  const value = { position, type, stream: { aggregate, id }, keys: [...keys], reason, parkedAt }
  if (scheduled === undefined) return { key, value }
  const { key: _, tries: __, ...timer } = scheduled
  return { key, value: { ...value, command: timer.command, timer: { ...timer } } }
}

/** The row that parks an event which a program has passed over that does not handle it. */
export function passedOverRow(event: StoredEvent, parkedAt: number): Row {
  const { key, value } = parkedRow(event, [], 'a program that does not handle it has passed over it', parkedAt)
  return { key, value: { ...(value as JsonObject), isPassedOver: true } }
}

/** Whether a row parks something at a position, or before. */
export const isParkedUpTo = (key: string, position: number): boolean =>
  key.startsWith(parkedPrefix) && Number(key.slice(parkedPrefix.length, parkedPrefix.length + digits)) <= position

/** The row that parks nothing at a position any more. */
export const unparkedRow = (position: number): Row => withoutValue(parkedKey(position))

const positionOf = (key: string): number => Number(key.slice(parkedPrefix.length).split(' ')[0])
const parkedKey = (position: number): string => `${parkedPrefix}${String(position).padStart(digits, '0')}`
const withoutValue = (key: string): Row => ({ key, value: undefined })

function parkedOf(value: Json): StoredParkedEvent {
  const { parkedAt, ...rest } = value as unknown as Omit<StoredParkedEvent, 'parkedAt'> & { readonly parkedAt: number }
  return { ...rest, parkedAt: new Date(parkedAt) }
}

/** Why something is parked, in words. */
export const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)

/** Why something is parked that has not failed itself. */
export const behindKey = (key: string): string => `it queues behind another with the key ${key}`
