/**
 * Completes a page of the log so that it cuts no commit in two. A projection handles a page at once, so it never shows
 * a half of a commit. A store ends a page when its limit or its size is reached. If the next event is of the same
 * commit as the last one, the rest of that commit is read too. A page therefore exceeds its limit by at most one
 * commit. The cost is one more event to read for each page that is not the last.
 */
import { matches } from './page.ts'
import type { Range } from './range.ts'
import type { EventStore, Page, ReadAllOptions, StoredEvent } from './store.ts'

/** The number of events of a cut commit to read first; twice as many each time. */
const restMin = 64

/** The rest of a commit in the range, in reading order. */
interface Rest {
  readonly events: readonly StoredEvent[]
  /** Whether the commit may have more events after these. */
  readonly isOpen: boolean
}

/** Reads the log, and ends no page within a commit, unless the range ends there. */
export async function readWholePage(
  store: Pick<EventStore, 'readAll'>,
  range: Range,
  options: ReadAllOptions = {},
): Promise<Page> {
  const page = await store.readAll(range, options)
  const last = page.events.at(-1)
  if (page.isLast || last === undefined) return page
  const { direction = 'forward', signal } = options
  const reading: ReadAllOptions = { direction, ...(signal && { signal }) }
  const more: StoredEvent[] = []
  let { examined, checksum } = page
  for (let [count, isOpen] = [1, true]; isOpen; count = Math.max(2 * count, restMin)) {
    const part = partBehind(examined, count, range, direction === 'backward')
    if (part.from >= part.to) break
    const read = await store.readAll(part, { ...reading, behind: { position: examined, checksum }, limit: count })
    const rest = restOf(last, read)
    isOpen = rest.isOpen
    for (const event of rest.events) {
      if (matches(options, event)) more.push(event)
      examined = event.position
      checksum = event.checksum
    }
  }
  return examined === page.examined ? page : { ...page, events: [...page.events, ...more], examined, checksum }
}

/** The next few places after a position, in reading order. */
function partBehind(position: number, count: number, { from, to }: Range, isBackward: boolean): Range {
  if (isBackward) return { from: Math.max(from, position - count, 1), to: position }
  return { from: position + 1, to: Math.min(to, position + 1 + count) }
}

function restOf(last: StoredEvent, { events }: Page): Rest {
  const end = events.findIndex((event) => !isOfSameCommit(last, event))
  if (end !== -1) return { events: events.slice(0, end), isOpen: false }
  // A store may return fewer than were asked for if they are large.
  return { events, isOpen: events.length > 0 }
}

function isOfSameCommit(one: StoredEvent, other: StoredEvent): boolean {
  const { stream, commitId } = one
  return commitId === other.commitId && stream.id === other.stream.id && stream.aggregate === other.stream.aggregate
}
