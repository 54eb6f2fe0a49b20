/** Events by their positions, for what was put aside and is wanted again. */
import type { EventStore, StoredEvent } from '../store/store.ts'

/** The events at some positions, in ascending order. */
export async function readEach(
  store: Pick<EventStore, 'readAll'>,
  positions: readonly number[],
): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = []
  for (const position of positions) {
    events.push(...(await store.readAll({ from: position, to: position + 1 }, { limit: 1 })).events)
  }
  return events
}
