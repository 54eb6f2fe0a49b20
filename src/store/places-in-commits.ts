/**
 * Where events are within their commits. The events of a commit are adjacent, so its neighbours in a page show where it
 * begins and ends. The store is asked only for the others: two commits at most in a page without filters.
 */
import { StoreError } from '../domain/error.ts'
import type { EventStore, Receipt, StoredEvent } from './store.ts'

/** The place of an event within its commit. */
export interface PlaceInCommit {
  /** From 0. */
  readonly index: number
  /** The number of events of the commit. */
  readonly count: number
}

/** What is known of a commit: the sequence of its first event, and its number of events. */
interface Extent {
  readonly first: number
  readonly count: number
}

type Asked = Pick<EventStore, 'name' | 'findCommit' | 'head'>

/** The number of commits that are looked up at the same time. */
const lookedUpMax = 16

/**
 * The places of events within their commits, in the order of the events.
 *
 * @throws StoreError `LOG_REPLACED` if the store does not have the commit of an event; what the store throws
 */
export async function placesInCommits(store: Asked, events: readonly StoredEvent[]): Promise<readonly PlaceInCommit[]> {
  const commits = Map.groupBy(events, commitOf)
  const byPosition = new Map(events.map((event) => [event.position, commitOf(event)]))
  const extents = new Map<string, Extent>()
  const unknown: (readonly [string, StoredEvent])[] = []
  for (const [commit, own] of commits) {
    const at = own.map(({ position }) => position)
    const [low, high] = [at.reduce((a, b) => Math.min(a, b)), at.reduce((a, b) => Math.max(a, b))]
    const isBetween = (low === 1 || byPosition.has(low - 1)) && byPosition.has(high + 1)
    if (!isBetween) unknown.push([commit, own[0]!])
    else {
      const first = own.find(({ position }) => position === low)!.sequence
      extents.set(commit, { first, count: high - low + 1 })
    }
  }
  for (let next = 0; next < unknown.length; next += lookedUpMax) {
    const some = unknown.slice(next, next + lookedUpMax)
    const found = await Promise.all(some.map(async ([, event]) => lookUp(store, event)))
    for (const [i, [commit]] of some.entries()) extents.set(commit, found[i]!)
  }
  return events.map((event) => {
    const { first, count } = extents.get(commitOf(event))!
    return { index: event.sequence - first, count }
  })
}

const commitOf = ({ stream, commitId }: StoredEvent): string => JSON.stringify([stream.aggregate, stream.id, commitId])

async function lookUp(store: Asked, { stream, commitId, sequence, position }: StoredEvent): Promise<Extent> {
  const receipt = await store.findCommit(stream, commitId)
  if (receipt !== undefined && contains(receipt, sequence)) {
    return { first: receipt.sequence - receipt.count + 1, count: receipt.count }
  }
  throw new StoreError('LOG_REPLACED', { store: store.name, position, head: await store.head() })
}

const contains = (receipt: Receipt, sequence: number): boolean =>
  sequence <= receipt.sequence && sequence > receipt.sequence - receipt.count
