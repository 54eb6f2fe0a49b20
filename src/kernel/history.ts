/** Reads the stored events of a stream, page by page. */
import type { StreamId } from '../domain/stream.ts'
import { Breath } from '../runtime/breath.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Range } from '../store/range.ts'
import type { EventStore, StoredEvent } from '../store/store.ts'

/** Which events of a stream to read: as for a store, but with any limit. */
export interface HistoryRead extends Range {
  readonly direction: 'forward' | 'backward'
  readonly limit: number
  readonly signal: AbortSignal | undefined
}

/** Events in one read of a history. */
const historyPageMax = 1000

/** The events, in the direction that was asked for. */
export async function* historyOf(
  { events, environment }: { readonly events: EventStore; readonly environment: Environment },
  stream: StreamId,
  read: HistoryRead,
): AsyncGenerator<StoredEvent> {
  const { direction, signal } = read
  const breath = new Breath(environment)
  let { from, to, limit: left } = read
  while (left > 0 && from < to) {
    const options = { direction, limit: Math.min(left, historyPageMax), ...(signal && { signal }) }
    const page = await events.readStream(stream, { from, to }, options)
    if (page.length === 0) return
    for (const event of page) {
      await breath.pause()
      signal?.throwIfAborted()
      yield event
    }
    left -= page.length
    if (direction === 'forward') from = page.at(-1)!.sequence + 1
    else to = page.at(-1)!.sequence
  }
}
