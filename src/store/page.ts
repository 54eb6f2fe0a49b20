/**
 * The parts of reading that are the same in every store: defaults of the options, filters, and how far a page has
 * looked.
 */
import { StoreError } from '../domain/error.ts'
import type { Range } from './range.ts'
import type { LogPlace, ReadAllOptions, ReadOptions, StoredEvent } from './store.ts'

/** The default number of events of a read. */
const limitDefault = 1000

/** The options of a read with their defaults. @throws the signal's reason if it is aborted already */
export function readOptions(options: ReadOptions): { readonly limit: number; readonly backward: boolean } {
  const { limit = limitDefault, direction = 'forward', signal } = options
  signal?.throwIfAborted()
  return { limit, backward: direction === 'backward' }
}

/** Whether an event matches the filters: one of the types, one of the aggregates, all of the tags. */
export function matches({ types, aggregates, tags }: ReadAllOptions, event: StoredEvent): boolean {
  if (types !== undefined && !types.includes(event.type)) return false
  if (aggregates !== undefined && !aggregates.includes(event.stream.aggregate)) return false
  return tags === undefined || tags.every((tag) => event.tags.includes(tag))
}

/**
 * `Page.examined` for a page of the range, read when the log ended at `head`: if the limit ended it, the position of
 * the last event, otherwise the end of what there was.
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

/** The log in which a place is looked for. */
interface ReadLog {
  readonly store: string
  readonly head: number
  /** The checksum of the event at the position of the place; 0 if there is none. */
  readonly checksum: number
}

/**
 * Refuses to read after a place that is not in the log, because then the log is not the one that the reader knows.
 *
 * @throws StoreError `LOG_REPLACED`
 */
export function checkBehind({ position, checksum }: LogPlace, log: ReadLog): void {
  if (position === 0) return
  const isThere = position <= log.head && (checksum === undefined || checksum === log.checksum)
  if (!isThere) throw new StoreError('LOG_REPLACED', { store: log.store, position, head: log.head })
}
