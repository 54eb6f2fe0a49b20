/**
 * Lists of streams, and the ids of streams in order for a store that has them in memory. They are put in order at the
 * first request, in pieces between which the event loop turns. From then on, each new id costs a binary search.
 */
import { turn } from '../runtime/timers.ts'
import { OrderedKeys } from './ordered-keys.ts'

/** Which streams of an aggregate to list. */
export interface StreamQuery {
  /** Only streams after this id. There need not be such a stream. */
  readonly after?: string
  /** The greatest number of streams; from 1, or infinite. */
  readonly limit: number
}

/**
 * The ids of some streams in order. A page may have fewer than its limit, even none, and not be the last: a store looks
 * at 10,000 streams at most.
 */
export interface StreamList {
  readonly ids: readonly string[]
  /** The id after which the next page begins. Absent if no stream is left. */
  readonly next?: string
}

/** The greatest number of streams that are looked at for a page, on every store. */
export const streamsListedMax = 10_000
/** The number of ids that are put in order before the event loop turns. */
const orderedAtOnce = 1024

/** The ids of one aggregate's streams. */
interface Listed<Stream> {
  readonly ids: OrderedKeys<Stream>
  readonly isWhole: Promise<void>
}

/** By aggregate. A stream is something that has an id, such as its number. */
export class StreamIds<Aggregate, Stream> {
  readonly #listed = new Map<Aggregate, Listed<Stream>>()
  readonly #idOf: (stream: Stream) => string

  constructor(idOf: (stream: Stream) => string) {
    this.#idOf = idOf
  }

  /** Call this when a stream gets its first event. */
  add(aggregate: Aggregate, stream: Stream): void {
    this.#listed.get(aggregate)?.ids.add(stream)
  }

  /** @param existing the streams of the aggregate that have events, in any order */
  async list(
    aggregate: Aggregate,
    { after, limit }: StreamQuery,
    existing: () => Iterable<Stream>,
  ): Promise<StreamList> {
    let listed = this.#listed.get(aggregate)
    if (listed === undefined) {
      const ids = new OrderedKeys<any>(this.#idOf) as OrderedKeys<Stream>
      listed = { ids, isWhole: fill(ids, existing()) }
      this.#listed.set(aggregate, listed)
    }
    await listed.isWhole
    // The next text in the order.
    const from = after === undefined ? '' : `${after}\0`
    return pageOf(listed.ids.from(from, wantedOf(limit)).map(this.#idOf), limit)
  }
}

/** One more than are returned shows whether there is another page. */
export const wantedOf = (limit: number): number => Math.min(limit, streamsListedMax) + 1

/** @param found the ids in order, as many as were wanted if there are as many */
export function pageOf(found: readonly string[], limit: number): StreamList {
  if (found.length < wantedOf(limit)) return { ids: found }
  const ids = found.slice(0, -1)
  return { ids, next: ids.at(-1)! }
}

/** Streams that get their first event meanwhile reach the list through `add`. */
async function fill<Stream>(ids: OrderedKeys<Stream>, existing: Iterable<Stream>): Promise<void> {
  let count = 0
  for (const stream of existing) {
    ids.add(stream)
    if (++count % orderedAtOnce === 0) await turn()
  }
}
