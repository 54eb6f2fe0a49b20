/**
 * Events that could not be handled and were put aside, and later events that queue behind them because they share a
 * key. Parked events are rows of the projection or reaction, so they change together with its checkpoint. The keys of
 * these rows begin with a mark (`row-key.ts`).
 */
import type { Json, JsonObject } from '../../domain/json.ts'
import { unboxed } from '../../domain/personal-fields.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Breath } from '../../runtime/breath.ts'
import { sortInPieces } from '../../runtime/sort-in-pieces.ts'
import type { ProjectionStore, Row, StoredEvent } from '../../store/store.ts'
import { ownMark } from './row-key.ts'
import { rowPages } from './row-pages.ts'
import { fieldsOf, formedRow, isText, isTime, isTrue, isWhole, listOf, type RowPlace } from './row-value.ts'
import { commandOf, isCommand, isTimer, type Timer, type WaitingTimer } from './timer-row.ts'

/** A parked event, or a parked command that an event scheduled. */
export interface ParkedEvent {
  readonly position: number
  readonly type: string
  readonly stream: StreamId
  /** Events with one of these keys queue behind it. */
  readonly keys: readonly string[]
  /** Why it is parked: the error, or the key by which it queues behind another event. */
  readonly reason: string
  readonly parkedAt: Date
  /** The scheduled command that could not be sent, if that is parked and not the event. */
  readonly command?: JsonObject
}

/** With the data for scheduling its command again, or for handling it for the first time. */
interface StoredParkedEvent extends ParkedEvent {
  readonly timer?: Timer
  /** A program that does not handle it passed it over, so it was never tried. */
  readonly isPassedOver?: true
}

const parkedPrefix = `${ownMark}parked `
const pageSize = 1000
const digits = 16

export class ParkedEvents {
  /** By position, then by the keys of their rows. */
  readonly #parked = new Map<number, Map<string, StoredParkedEvent>>()
  /** The number of parked events with a key. */
  readonly #blocked = new Map<string, number>()
  /** The positions of events that were never tried, in the order of the log. */
  readonly #passedOver = new Set<number>()
  #size = 0

  /** Drops everything, and reads the stored rows. */
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

  /** Whether an event with this key has to queue. */
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

  /** Applies rows that were saved. Ignores rows of other kinds. */
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

  /** The rows that delete everything parked at a position. */
  rowsWithout(position: number): readonly Row[] {
    return Array.from(this.#parked.get(position)?.keys() ?? [], withoutValue)
  }

  /** The rows that turn the scheduled commands parked at a position back into timers. */
  timerRows(position: number): readonly Row[] {
    return [...(this.#parked.get(position) ?? [])].flatMap(([key, { timer }]) =>
      timer === undefined ? [] : timerInPlaceOf(key, timer),
    )
  }

  #count(key: string, by: number): void {
    const count = (this.#blocked.get(key) ?? 0) + by
    if (count > 0) this.#blocked.set(key, count)
    else this.#blocked.delete(key)
  }
}

/** The parked events as they are stored now, in the order of the log. */
export async function listParked(
  store: ProjectionStore,
  name: string,
  breath: Breath,
): Promise<readonly ParkedEvent[]> {
  const parked: ParkedEvent[] = []
  for await (const { value } of parkedRows(store, name, breath)) {
    const { timer, isPassedOver: _, command: __, ...rest } = parkedOf(value!)
    parked.push(timer === undefined ? rest : { ...rest, command: unboxed(commandOf(timer)) as JsonObject })
  }
  return parked
}

/**
 * The parked events beside a checkpoint. It does not wait for a step, because users ask while a step takes long. Rows
 * that are built again may become live meanwhile.
 */
export async function listParkedBeside(
  checkpoint: { readonly storage: string },
  store: ProjectionStore,
  breath: Breath,
): Promise<readonly ParkedEvent[]> {
  for (;;) {
    const { storage } = checkpoint
    const parked = await listParked(store, storage, breath)
    if (storage === checkpoint.storage) return parked
  }
}

/** A parked event, as it is stored, with its place in the list. */
export interface ListedParkedEvent extends ParkedEvent {
  readonly place: string
  /** Whether it only queues behind another one. */
  readonly isBehind: boolean
  readonly isPassedOver?: true
  readonly timer?: Timer
}

/** A page of parked events, in the order of the log. @param after the place after which it begins */
export async function parkedPage(
  store: Pick<ProjectionStore, 'listRows' | 'name'>,
  name: string,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<{ readonly events: readonly ListedParkedEvent[]; readonly next: string | undefined }> {
  const from = after === undefined ? {} : { after: ownMark + after }
  const { rows, next } = await store.listRows(name, { prefix: parkedPrefix, limit, ...from })
  const events = rows.map((row) => {
    const { key, value } = formed({ store, storage: name }, row)
    const parked = parkedOf(value!)
    return { place: key.slice(ownMark.length), isBehind: parked.reason.startsWith(behindWords), ...parked }
  })
  return { events, next: next?.slice(ownMark.length) }
}

/** In the order of the log, because their keys have that order. @throws StoreError `STORE_CORRUPT` */
async function* parkedRows(store: ProjectionStore, storage: string, breath: Breath): AsyncGenerator<Row> {
  for await (const rows of rowPages(store, storage, { prefix: parkedPrefix, limit: pageSize })) {
    for (const row of rows) {
      if (breath.isDue) await breath.pause()
      yield formed({ store, storage }, row)
    }
  }
}

const isParked = fieldsOf(
  {
    position: isWhole,
    type: isText,
    stream: fieldsOf({ aggregate: isText, id: isText }),
    keys: listOf(isText),
    reason: isText,
    parkedAt: isTime,
  },
  { command: isCommand, timer: isTimer, isPassedOver: isTrue },
)

function formed(place: RowPlace, row: Row): Row {
  const isThere = (value: unknown) => isParked(value) && (value as ParkedEvent).position === positionOf(row.key)
  formedRow(place, row.key, row.value, isThere)
  return row
}

/** The row that parks an event, or a command that it scheduled. */
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
  // Its key is free for another one meanwhile.
  const { key: _, tries: __, userKey: ___, ...timer } = scheduled
  return { key, value: { ...value, command: timer.command, timer: { ...timer } } }
}

/** What is handed back of a page of parked events and commands. */
interface HandedBack {
  /** Those that change. */
  readonly rows: readonly Row[]
  /** How many are parked on the page. */
  readonly count: number
}

/**
 * The rows that let the process which runs a reaction try everything again that is parked: first of all events, in the
 * order of the log. Parked commands become timers again, which are already due.
 */
export async function* handedBackRows(
  store: ProjectionStore,
  storage: string,
  breath: Breath,
): AsyncGenerator<HandedBack> {
  for await (const page of rowPages(store, storage, { prefix: parkedPrefix, limit: pageSize })) {
    await breath.pause()
    const rows: Row[] = []
    for (const row of page) {
      const { key, value } = formed({ store, storage }, row)
      const { timer, keys, isPassedOver } = parkedOf(value!)
      // Without keys, none of them queues behind another one that is handed back. Who fails again gets its keys back.
      if (timer !== undefined) rows.push(...timerInPlaceOf(key, timer))
      else if (keys.length > 0 || isPassedOver !== true)
        rows.push({ key, value: { ...(value as JsonObject), keys: [], isPassedOver: true } })
    }
    yield { rows, count: page.length }
  }
}

const passedOverReason = 'it was passed over by a program that does not handle it'

/** Whether an event is parked because it was passed over, and nobody has handed it back. */
export const wasPassedOver = ({ reason }: ParkedEvent): boolean => reason === passedOverReason

/** The row that parks an event that was passed over by a program which does not handle it. */
export function passedOverRow(event: StoredEvent, parkedAt: number): Row {
  const { key, value } = parkedRow(event, [], passedOverReason, parkedAt)
  return { key, value: { ...(value as JsonObject), isPassedOver: true } }
}

/** Whether the row with a key parks an event at or before a position. */
export const isParkedUpTo = (key: string, position: number): boolean =>
  key.startsWith(parkedPrefix) && Number(key.slice(parkedPrefix.length, parkedPrefix.length + digits)) <= position

/** The row that deletes the parked event at a position. */
export const unparkedRow = (position: number): Row => withoutValue(parkedKey(position))

const positionOf = (key: string): number => Number(key.slice(parkedPrefix.length).split(' ')[0])
const parkedKey = (position: number): string => `${parkedPrefix}${String(position).padStart(digits, '0')}`
/** The rows that turn the parked command of a key back into the timer that it was. */
const timerInPlaceOf = (key: string, timer: Timer): readonly Row[] => [
  withoutValue(key),
  { key: key.slice(parkedKey(positionOf(key)).length + 1), value: { ...timer } },
]
const withoutValue = (key: string): Row => ({ key, value: undefined })

function parkedOf(value: Json): StoredParkedEvent {
  const { parkedAt, ...rest } = value as unknown as Omit<StoredParkedEvent, 'parkedAt'> & { readonly parkedAt: number }
  return { ...rest, parkedAt: new Date(parkedAt) }
}

/** The reason of a parked event that failed. */
export const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)

const behindWords = 'it queues behind another event with the key '

/** The reason of a parked event that did not fail itself. */
export const behindKey = (key: string): string => behindWords + key
