/**
 * A page of a stream together with the end of the stream at the same moment. Stored events never change, so a page that
 * is full is still right when the end is asked for afterwards. A page that is not full shows the end itself. Only a
 * page without events has to be read again, if the stream has grown before the end was asked for.
 */
import type { StreamId } from '../domain/stream.ts'
import type { Range } from './range.ts'
import type { EventStore, ReadOptions, StoredEvent, StreamEnd } from './store.ts'

/** Some events of a stream, and where the stream ended at that moment. */
export interface StreamPage {
  readonly events: readonly StoredEvent[]
  readonly end: StreamEnd
  /** Whether the range had nothing more, in the direction of the read. */
  readonly isLast: boolean
}

const limitDefault = 1000
const triesMax = 5

/**
 * Events of a stream with sequences in the range, and where the stream ended, from one moment.
 *
 *     const { events, end, isLast } = await readStreamPage(store, stream, range(1), { limit: 20 })
 *
 * @throws what `readStream` and `streamEnds` of the store throw
 */
export async function readStreamPage(
  store: Pick<EventStore, 'readStream' | 'streamEnds'>,
  stream: StreamId,
  range: Range,
  options: ReadOptions = {},
): Promise<StreamPage> {
  const { limit = limitDefault, direction = 'forward' } = options
  const isBackward = direction === 'backward'
  const [from, to] = [Math.max(range.from, 1), range.to]
  for (let tries = 1; ; tries++) {
    const events = await store.readStream(stream, range, options)
    const newest = isBackward ? events[0] : events.at(-1)
    const showsEnd = newest !== undefined && newest.sequence < to - 1 && (isBackward || events.length < limit)
    const end = showsEnd ? endAt(newest) : (await store.streamEnds([stream]))[0]!
    const hasGrown = newest === undefined && limit > 0 && from < to && end.sequence >= from
    if (hasGrown && tries < triesMax) continue
    const last = events.at(-1)?.sequence
    const isLast = isBackward
      ? (last ?? Math.min(to, end.sequence + 1)) <= from
      : (last ?? from - 1) + 1 >= Math.min(to, end.sequence + 1)
    return { events, end, isLast }
  }
}

const endAt = ({ sequence, checksum }: StoredEvent): StreamEnd => ({ sequence, checksum })
