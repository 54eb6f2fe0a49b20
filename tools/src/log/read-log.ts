/** A whole log, page by page, and as records with the facts of their commits. */
import type { EventStore, Receipt, StoredEvent } from '../../../src/index.ts'
import { type EventRecord, recordOf } from './record.ts'

const pageMax = 1000
/** The number of commits that are looked up at the same time. */
const lookedUpMax = 16

export interface ReadLogOptions {
  /** The first position. 1 by default. */
  readonly from?: number
  readonly signal?: AbortSignal
}

/** Pages of a log, from a position on, up to its end at the time when the reader reaches it. */
export async function* readLogPages(
  store: EventStore,
  { from = 1, signal }: ReadLogOptions = {},
): AsyncGenerator<readonly StoredEvent[], void, void> {
  for (let next = from; ; ) {
    signal?.throwIfAborted()
    const range = { from: next, to: Number.POSITIVE_INFINITY }
    const page = await store.readAll(range, { limit: pageMax, ...(signal && { signal }) })
    if (page.events.length > 0) yield page.events
    if (page.isLast || page.events.length === 0) return
    next = page.examined + 1
  }
}

/** The records of a page, with the facts of their commits. The store is asked for each commit that begins in it. */
export async function recordsWithCommits(
  store: Pick<EventStore, 'findCommit'>,
  events: readonly StoredEvent[],
): Promise<readonly EventRecord[]> {
  const commits = new Map<StoredEvent, Receipt>()
  // A commit begins where the event before is of another one. In the middle of a page that is known, and at its
  // beginning too, because a page begins with a commit unless somebody began in the middle of one.
  const first = events.filter((event, i) => i === 0 || !isSameCommit(events[i - 1]!, event))
  for (let next = 0; next < first.length; next += lookedUpMax) {
    const some = first.slice(next, next + lookedUpMax)
    const receipts = await Promise.all(some.map(({ stream, commitId }) => store.findCommit(stream, commitId)))
    for (const [i, event] of some.entries()) {
      const receipt = receipts[i]
      const begins = receipt !== undefined && event.sequence === receipt.sequence - receipt.count + 1
      if (begins) commits.set(event, receipt)
    }
  }
  return events.map((event) => recordOf(event, commits.get(event)))
}

/** Whether two events that are neighbours in the log are of the same commit. */
export const isSameCommit = (a: StoredEvent, b: StoredEvent): boolean =>
  a.commitId === b.commitId && a.stream.id === b.stream.id && a.stream.aggregate === b.stream.aggregate
