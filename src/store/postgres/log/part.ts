/**
 * Checks the part of the log that a statement says it has looked at against the events that it returned. If every place
 * was looked at, the places follow one another. Every place that an index names exists. Every event matches the search.
 */
import { matches } from '../../page.ts'
import type { Range } from '../../range.ts'
import type { ReadAllOptions, StoredEvent } from '../../store.ts'
import type { Search } from '../database/read-functions.ts'
import { Damage, type EventPage } from './event-page.ts'

/** The part of a read that a statement had to look at. */
export interface Part {
  readonly from: number
  readonly to: number
  readonly backward: boolean
  /** The number of events that were asked for. */
  readonly count: number
  readonly search: Search
  /** The number of places to look at. */
  readonly window: number | undefined
}

/** How far a statement has looked. */
export interface Looked {
  /** Where to continue: the next place, or if backward the one above it. */
  readonly next: number
  /** Whether nothing is left in the part. */
  readonly isLast: boolean
  /** The places that were looked at, or passed over. */
  readonly passed: Range
  /** Whether it is known that no event is missing there. It is not if an index led over many places. */
  readonly isCounted: boolean
}

/** @throws Damage if a row is missing, or one was found that does not match */
export function lookedAt(part: Part, page: EventPage, read: readonly StoredEvent[], filters: ReadAllOptions): Looked {
  const { backward, search } = part
  const place = search === 'stream' ? 'sequence' : 'position'
  const last = read.at(-1)?.[place]
  const isCut = read.length < page.found
  const isFull = page.found >= page.wanted
  const end = Math.min(part.to, page.last + 1)
  if (search === 'stream' || search === 'any') checkDense(part, page, read, place)
  for (const event of read) {
    if (!matches(filters, event)) throw new Damage('it does not match its indexes', event.position)
  }
  if (last !== undefined && (isCut || isFull)) {
    const passed = { from: backward ? last : part.from, to: backward ? end : last + 1 }
    return { next: backward ? last : last + 1, isLast: false, passed, isCounted: isCounted(part, page, passed) }
  }
  const { window = Number.POSITIVE_INFINITY } = part
  const next = backward
    ? Math.max(part.from, end - window, page.next === undefined ? 0 : page.next + 1)
    : Math.min(end, part.from + window, page.next ?? Number.POSITIVE_INFINITY)
  const passed = { from: backward ? next : part.from, to: backward ? end : next }
  return {
    next: backward ? next : Math.max(next, part.from),
    isLast: page.next === undefined,
    passed,
    isCounted: isCounted(part, page, passed),
  }
}

/** Checks that the places follow one another without a gap, up to the end or until the page is full. */
function checkDense(
  { from, to, backward, count }: Part,
  { found, last }: EventPage,
  read: readonly StoredEvent[],
  place: 'sequence' | 'position',
): void {
  const end = Math.min(to, last + 1)
  const there = Math.max(Math.min(end - from, count), 0)
  for (const [i, event] of read.entries()) {
    const expected = backward ? end - 1 - i : from + i
    if (event[place] !== expected) throw new Damage('it is missing', expected)
  }
  if (found < there) throw new Damage('it is missing', backward ? end - 1 - read.length : from + read.length)
}

/** Checks that there is an event for each place, if they were counted. @returns whether they were. @throws Damage */
function isCounted({ search }: Part, { looked }: EventPage, { from, to }: Range): boolean {
  if (looked === undefined) return search === 'stream' || search === 'any'
  if (looked < to - from) throw new Damage(`an event from ${from} to ${to - 1} is missing`)
  return true
}
