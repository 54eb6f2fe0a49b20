/**
 * Where in the log the event of a command is, as far as its id says it. Ids that the library makes say it: that of a
 * reaction's command has the position of the event that it answers, and all others begin with the time at which they
 * were made. An id that a caller has chosen says nothing.
 */
import type { EventStore, StoredEvent } from '../../../src/index.ts'
import { readEvents } from './reading.ts'

/** How far the clocks of processes may be apart. The log is only nearly in the order of its times. */
const clocksApartMs = 60_000
/** How long after its id was made a command is looked for at most. It may have waited, or have been repeated. */
const decidedWithinMs = 3_600_000

/** The position in the id of a reaction's command: that of the event that it answers. */
export function causePositionIn(id: string): number | undefined {
  const position = Number(/^~[^:]+:(\d{1,15}):/.exec(id)?.[1])
  return position >= 1 ? position : undefined
}

/** The characters of a time in an id, for six bits each. */
const letters = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'

/** When an id was made, in milliseconds since 1970. Nothing if a caller has chosen it, or a reaction has derived it. */
export function timeIn(id: string): number | undefined {
  if (!/^~[\w-]{22}$/.test(id)) return undefined
  return Array.from(id.slice(1, 8)).reduce((time, letter) => time * 64 + letters.indexOf(letter), 0)
}

/** The event at a position, if the log has it. */
export async function eventAt(store: EventStore, position: number): Promise<StoredEvent | undefined> {
  const { events } = await store.readAll({ from: position, to: position + 1 }, { limit: 1 })
  return events[0]
}

/** A position before everything that has to do with an id that was made at a time. It takes some 20 small reads. */
export async function positionBefore(store: EventStore, timeMs: number): Promise<number> {
  const after = timeMs - clocksApartMs
  let [low, high] = [1, (await store.head()) + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (((await eventAt(store, middle))?.recordedAt ?? after) < after) low = middle + 1
    else high = middle
  }
  return low
}

/** The first event of the command whose id was made at a time, if it is near that time. */
export async function eventNear(
  store: EventStore,
  id: string,
  timeMs: number,
  signal: AbortSignal | undefined,
): Promise<StoredEvent | undefined> {
  const from = await positionBefore(store, timeMs)
  for await (const event of readEvents(store, { from, ...(signal && { signal }) })) {
    if (event.commitId === id) return event
    if (event.recordedAt > timeMs + decidedWithinMs) return undefined
  }
  return undefined
}
