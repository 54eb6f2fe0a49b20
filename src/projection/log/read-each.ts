/** Reads events by their positions, for parked events that are tried again. Checks that a place is in the log. */
import type { EventStore, LogPlace, StoredEvent } from '../../store/store.ts'

/** The events at some positions before a place, in ascending order. @throws StoreError `LOG_REPLACED` */
export async function readEach(
  store: Pick<EventStore, 'readAll'>,
  positions: readonly number[],
  behind: LogPlace,
): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = []
  for (const position of positions) {
    events.push(...(await store.readAll({ from: position, to: position + 1 }, { limit: 1, behind })).events)
  }
  return events
}

/** Checks that the log still has a place. @throws StoreError `LOG_REPLACED` */
export async function checkPlace(store: Pick<EventStore, 'readAll'>, place: LogPlace): Promise<void> {
  const { position } = place
  await store.readAll({ from: position, to: position + 1 }, { limit: 1, behind: place })
}
