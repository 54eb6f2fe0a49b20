/** Stored events as callers get them. For an event that this program does not understand, an error names its place. */
import { EventError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { AggregateType } from '../kernel/aggregate-type.ts'
import { recordedEvent } from '../kernel/rehydrate.ts'
import type { LogPlace, StoredEvent } from '../store/store.ts'

/**
 * The event, upcast to its newest revision.
 *
 * @throws EventError `EVENT_UNREADABLE`
 */
export function readableEvent(folds: AggregateType['folds'] | undefined, stored: StoredEvent): RecordedEvent {
  try {
    return recordedEvent(folds, stored)
  } catch (cause) {
    const { type: event, stream, sequence, position, checksum } = stored
    throw new EventError('EVENT_UNREADABLE', { event, stream, sequence, position, checksum }, cause)
  }
}

/** The events of a subscription. Each has its checksum, so that it can be given as `after`. */
export async function* readable(
  foldsOf: (aggregate: string) => AggregateType['folds'] | undefined,
  stored: AsyncGenerator<StoredEvent, void, void>,
): AsyncGenerator<RecordedEvent & Required<LogPlace>, void, void> {
  for await (const event of stored) {
    yield { ...readableEvent(foldsOf(event.stream.aggregate), event), checksum: event.checksum }
  }
}
