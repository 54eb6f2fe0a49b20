/**
 * The events of a command as its caller gets them: made from what was stored, not from the objects that `evolve` got.
 */
import type { RecordedEvent } from '../domain/event.ts'
import type { Commit } from '../store/commit.ts'
import type { Receipt } from '../store/store.ts'

/** @param data the data of each event, as its schema returned it */
export function acceptedEvents(
  { stream, events, recordedAt, id: commitId }: Commit,
  data: readonly unknown[],
  stored: Receipt,
): readonly RecordedEvent[] {
  const { length } = events
  const recorded: RecordedEvent[] = new Array(length)
  for (let i = 0; i < length; i++) {
    const { type, revision, metadata, tags } = events[i]!
    recorded[i] = {
      type,
      data: data[i],
      stream,
      sequence: stored.sequence - length + 1 + i,
      position: stored.position - length + 1 + i,
      recordedAt: new Date(recordedAt),
      metadata,
      tags,
      revision,
      commitId,
    }
  }
  return recorded
}
