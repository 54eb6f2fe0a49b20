/**
 * Events that could not be handled and were put aside, and those that queue behind them because they have a key in common. They are
 * rows of the projection or reaction, so they change together with its checkpoint. Their keys begin with a mark (`row-key.ts`).
 */
import type { Json, JsonObject } from '../domain/json.ts'
import type { StreamId } from '../domain/stream.ts'
import type { ProjectionStore, Row, StoredEvent } from '../store/store.ts'
import { ownMark } from './row-key.ts'

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
  /** The scheduled command that can never be sent, if it is not the event itself that is parked. */
  readonly command?: JsonObject
}

/** With what it takes to schedule its command again. */
interface StoredParkedEvent extends ParkedEvent {
  readonly dueAt?: number
}

const parkedPrefix = `${ownMark}parked `
const pageSize = 1000
const digits = 16

export class ParkedEvents {
  readonly #parked = new Map<string, StoredParkedEvent>()
  /** How many parked events have a key. */
  readonly #blocked = new Map<string, number>()

  /** Forgets all, and reads what is stored. */
  async load(store: ProjectionStore, name: string): Promise<void> {
    this.#parked.clear()
    this.#blocked.clear()
    for await (const row of parkedRows(store, name)) this.apply([row])
  }

  /** Whether an event with such a key has to queue. */
  blocks(key: string): boolean {
    return this.#blocked.has(key)
  }

  /** Whether the event at a position is parked. */
  holds(position: number): boolean {
    return this.#parked.has(parkedKey(position))
  }

  /** In the order of the log. */
  get all(): readonly ParkedEvent[] {
    return [...this.#parked.values()].sort((a, b) => a.position - b.position)
  }

  /** Takes over rows that were saved; passes over those that are of other kinds. */
  apply(rows: readonly Row[]): void {
    for (const { key, value } of rows) {
      if (!key.startsWith(parkedPrefix)) continue
      const before = this.#parked.get(key)
      for (const each of before?.keys ?? []) this.#count(each, -1)
      if (value === undefined) this.#parked.delete(key)
      else {
        const parked = parkedOf(value)
        this.#parked.set(key, parked)
        for (const each of parked.keys) this.#count(each, 1)
      }
    }
  }

  /** The rows that let what is parked at a position go. */
  rowsWithout(position: number): readonly Row[] {
    return [...this.#parked].filter(([, parked]) => parked.position === position).map(([key]) => withoutValue(key))
  }

  /** The rows that let scheduled commands that are parked wait for their time again. */
  timerRows(): readonly Row[] {
    return [...this.#parked].flatMap(([key, { position, command, dueAt }]) =>
      command === undefined
        ? []
        : [withoutValue(key), { key: key.slice(parkedKey(position).length + 1), value: { dueAt: dueAt!, command } }],
    )
  }

  #count(key: string, by: number): void {
    const count = (this.#blocked.get(key) ?? 0) + by
    if (count > 0) this.#blocked.set(key, count)
    else this.#blocked.delete(key)
  }
}

/** What is parked, as it is stored now. */
export async function listParked(store: ProjectionStore, name: string): Promise<readonly ParkedEvent[]> {
  const parked: ParkedEvent[] = []
  for await (const { value } of parkedRows(store, name)) {
    const { dueAt: _, ...rest } = parkedOf(value!)
    parked.push(rest)
  }
  return parked.sort((a, b) => a.position - b.position)
}

async function* parkedRows(store: ProjectionStore, name: string): AsyncGenerator<Row> {
  for (let after: string | undefined; ; ) {
    const page = { prefix: parkedPrefix, limit: pageSize, ...(after !== undefined && { after }) }
    const rows = await store.listRows(name, page)
    yield* rows
    if (rows.length < pageSize) return
    after = rows.at(-1)!.key
  }
}

/** The row that parks an event, or with `what` a command that it had scheduled. */
export function parkedRow(
  { position, type, stream }: Pick<StoredEvent, 'position' | 'type' | 'stream'>,
  keys: readonly string[],
  reason: string,
  parkedAt: number,
  scheduled?: Scheduled,
): Row {
  const key = parkedKey(position) + (scheduled === undefined ? '' : ` ${scheduled.key}`)
  const { aggregate, id } = stream
  const value = { position, type, stream: { aggregate, id }, keys: [...keys], reason, parkedAt }
  if (scheduled === undefined) return { key, value }
  return { key, value: { ...value, command: scheduled.command, dueAt: scheduled.dueAt } }
}

/** A scheduled command that is parked, with the row that it was kept in. */
interface Scheduled {
  readonly key: string
  readonly dueAt: number
  readonly command: JsonObject
}

/** The row that parks nothing at a position any more. */
export const unparkedRow = (position: number): Row => withoutValue(parkedKey(position))

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
