/**
 * What every store does in the same way when it reads: defaults of the options, filters, and how far a page has looked.
 */
import { StoreError } from '../domain/error.ts'
import type { Range } from './range.ts'
import type { LogPlace, ReadAllOptions, ReadOptions, StoredEvent } from './store.ts'

/** How many events a read gives if its options do not say. */
const limitDefault = 1000

/** The options of a read with their defaults. @throws the signal's reason if it is aborted already */
export function readOptions(options: ReadOptions): { readonly limit: number; readonly backward: boolean } {
  const { limit = limitDefault, direction = 'forward', signal } = options
  signal?.throwIfAborted()
  return { limit, backward: direction === 'backward' }
}

/** Whether an event meets the filters: one of the types, one of the aggregates, all of the tags. */
export function matches({ types, aggregates, tags }: ReadAllOptions, event: StoredEvent): boolean {
  if (types !== undefined && !types.includes(event.type)) return false
  if (aggregates !== undefined && !aggregates.includes(event.stream.aggregate)) return false
  return tags === undefined || tags.every((tag) => event.tags.includes(tag))
}

/**
 * `Page.examined` for a page of the range, read when the log ended at `head`: where the limit ended it, the last
 * event's position, else the end of what there was.
 */
export function examinedBy(
  events: readonly StoredEvent[],
  { from, to }: Range,
  { limit, backward }: { readonly limit: number; readonly backward: boolean },
  head: number,
): number {
  const last = events.at(-1)
  if (last !== undefined && events.length >= limit) return last.position
  if (backward) return limit === 0 ? Math.min(to, head + 1) : from
  return limit === 0 ? Math.max(from - 1, 0) : Math.max(from - 1, Math.min(to - 1, head), 0)
}

/** The log that a place is looked for in. */
interface ReadLog {
  readonly store: string
  readonly head: number
  /** Of the event at the position of the place; 0 if there is none. */
  readonly checksum: number
}

/**
 * Refuses to read behind a place that is not in the log: the log is then not the one that the reader knows.
 *
 * @throws StoreError `LOG_REPLACED`
 */
export function checkBehind({ position, checksum }: LogPlace, log: ReadLog): void {
  if (position === 0) return
  const isThere = position <= log.head && (checksum === undefined || checksum === log.checksum)
  if (!isThere) throw new StoreError('LOG_REPLACED', { store: log.store, position, head: log.head })
}
