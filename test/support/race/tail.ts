/**
 * A reader that follows the log page by page, each with its own start, page size and filter, and fails as soon as a
 * page shows a gap, a step back, an event that the filter should have left out, or ends within a commit.
 */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import type { ReadAllOptions, Store, StoredEvent } from '../../../src/index.ts'
import { isLast, LogCheck } from './log-check.ts'

/**
 * Nobody tells a reader of what other processes append, and one that asks all the time takes the processor from them:
 * so it waits for some times as long as it was answered in.
 */
const pollPauses = 4
const pollIntervalMs = 1

export type Filter = Pick<ReadAllOptions, 'types' | 'aggregates' | 'tags'>

/** How a reader reads. */
export interface TailOptions {
  /** The first position that it wants. */
  readonly from: number
  readonly limit: number
  readonly filter: Filter
}

/** Five readers that have little in common. */
export const tails: readonly TailOptions[] = [
  { from: 1, limit: 1_000, filter: {} },
  { from: 1, limit: 7, filter: {} },
  { from: 501, limit: 100, filter: { tags: ['writer 3'] } },
  { from: 1, limit: 50, filter: { types: ['Counted'], aggregates: ['third'] } },
  { from: 7_777, limit: 333, filter: { aggregates: ['other'] } },
]

/** Whether a filter lets an event through. */
export function meets({ types, aggregates, tags }: Filter, event: StoredEvent): boolean {
  return (
    (types?.includes(event.type) ?? true) &&
    (aggregates?.includes(event.stream.aggregate) ?? true) &&
    (tags?.every((tag) => event.tags.includes(tag)) ?? true)
  )
}

/**
 * Follows the log up to a position that is known only later.
 *
 * @param end the last position, as soon as it is known
 * @returns how many events were seen
 */
export async function follow(store: Store, options: TailOptions, end: () => number | undefined): Promise<number> {
  const { from, limit, filter } = options
  const logCheck = from === 1 && Object.keys(filter).length === 0 ? new LogCheck() : undefined
  const view = JSON.stringify(options)
  let examined = from - 1
  let count = 0
  let last: StoredEvent | undefined
  for (;;) {
    const wanted = end()
    const start = performance.now()
    const page = await store.readAll({ from: examined + 1, to: Number.POSITIVE_INFINITY }, { ...filter, limit })
    const answeredInMs = performance.now() - start
    for (const event of page.events) {
      assert.ok(event.position > (last?.position ?? from - 1), `no step back, at ${event.position} in ${view}`)
      assert.ok(meets(filter, event), `the filter holds, at ${event.position} in ${view}`)
      logCheck?.see(event)
      last = event
      count++
    }
    for (const event of page.events.slice(limit)) {
      assert.equal(
        event.commitId,
        page.events[limit - 1]?.commitId,
        `a page goes beyond its limit by one commit in ${view}`,
      )
    }
    const pageEnd = page.events.at(-1)
    assert.ok(pageEnd === undefined || isLast(pageEnd), `no page tears a commit, at ${pageEnd?.position} in ${view}`)
    if (page.events.length >= limit) {
      assert.equal(page.examined, pageEnd?.position, `a full page was examined up to its last event in ${view}`)
    }
    if (page.examined !== 0) {
      assert.ok(page.examined >= Math.max(examined, last?.position ?? 0), `examined goes on in ${view}`)
      examined = page.examined
    }
    if (wanted !== undefined && examined >= wanted) return count
    if (page.events.length === 0) await setTimeout(Math.max(pollIntervalMs, pollPauses * answeredInMs))
  }
}

/** How many events of a whole log a reader should have seen. */
export function seenBy({ from, filter }: TailOptions, log: readonly StoredEvent[]): number {
  return log.filter((event) => event.position >= from && meets(filter, event)).length
}
