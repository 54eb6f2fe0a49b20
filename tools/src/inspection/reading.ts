/** Reads stored events page by page, of the log or of one stream, with one kind of question for both. */
import type { EventStore, StoredEvent, StreamId } from '../../../src/index.ts'

/** Which events to read. */
export interface EventQuery {
  /** Only the events of this stream. `from` and `to` are then sequences. */
  readonly stream?: StreamId
  readonly types?: readonly string[]
  readonly aggregates?: readonly string[]
  /** Only events that have all of these tags. */
  readonly tags?: readonly string[]
  /** The first position (or sequence) that may be read. 1 by default. */
  readonly from?: number
  /** Only events before this position (or sequence). No bound by default. */
  readonly to?: number
  /** 'forward' (the default), or 'backward', newest first. */
  readonly direction?: 'forward' | 'backward'
  readonly signal?: AbortSignal
}

/** Some events, and how to go on. */
export interface EventsPage {
  readonly events: readonly StoredEvent[]
  /**
   * The bounds of the next page: give them instead of those of the query. Absent if there was nothing more when this
   * page was read.
   */
  readonly next?: { readonly from: number; readonly to: number }
  /** The last position (or sequence) that was looked at. It shows progress also where filters match little. */
  readonly examined: number
}

const pageMax = 1000

/**
 * One page of at most `limit` events (1,000 at most). It may have fewer, even none, and not be the last.
 *
 * @throws what the store throws
 */
export async function readEventsPage(
  store: EventStore,
  query: EventQuery,
  limit: number = pageMax,
): Promise<EventsPage> {
  const { from = 1, to = Number.POSITIVE_INFINITY, direction = 'forward' } = query
  const most = Math.min(limit, pageMax)
  const range = { from, to }
  const after = (place: number) => (direction === 'forward' ? { from: place + 1, to } : { from, to: place })
  const isOver = ({ from, to }: { readonly from: number; readonly to: number }) => from >= to
  if (isOver(range) || most < 1) return { events: [], examined: from - 1 }
  const options = { limit: most, direction, ...(query.signal && { signal: query.signal }) }
  if (query.stream !== undefined) {
    const read = await store.readStream(query.stream, range, options)
    const examined = read.at(-1)?.sequence ?? from - 1
    const next = after(examined)
    return { events: read.filter(matches(query)), examined, ...(read.length === most && !isOver(next) && { next }) }
  }
  const { types, aggregates, tags } = query
  const filters = { ...(types && { types }), ...(aggregates && { aggregates }), ...(tags && { tags }) }
  const page = await store.readAll(range, { ...options, ...filters })
  // A page of the log goes on to the end of its last commit.
  const isCut = page.events.length > most
  const events = isCut ? page.events.slice(0, most) : page.events
  const examined = isCut ? events.at(-1)!.position : page.examined
  const next = after(examined)
  return { events, examined, ...((isCut || !page.isLast) && !isOver(next) && { next }) }
}

/**
 * All events that match, up to the end of the log or stream at the time when the reader reaches it. Memory holds one
 * page.
 *
 * @param onPage is told how far each page has looked
 * @throws what the store throws, or the reason of the signal
 */
export async function* readEvents(
  store: EventStore,
  query: EventQuery & { readonly limit?: number },
  onPage: (examined: number) => void = () => {},
): AsyncGenerator<StoredEvent, void, void> {
  const { limit = Number.POSITIVE_INFINITY, ...rest } = query
  let left = limit
  for (let bounds: EventsPage['next'] | undefined = undefined; left > 0; ) {
    query.signal?.throwIfAborted()
    const page: EventsPage = await readEventsPage(store, { ...rest, ...(bounds ?? {}) }, Math.min(left, pageMax))
    for (const event of page.events) {
      query.signal?.throwIfAborted()
      yield event
    }
    onPage(page.examined)
    left -= page.events.length
    bounds = page.next
    if (bounds === undefined) return
  }
}

/** Whether an event matches the filters of a query, as stores filter. */
export function matches({ types, aggregates, tags }: EventQuery): (event: StoredEvent) => boolean {
  return (event) =>
    (types === undefined || types.includes(event.type)) &&
    (aggregates === undefined || aggregates.includes(event.stream.aggregate)) &&
    (tags === undefined || tags.every((tag) => event.tags.includes(tag)))
}
