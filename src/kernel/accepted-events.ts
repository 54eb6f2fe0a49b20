/**
 * The events of a command as its caller gets them: made from what was stored, not from the objects that `evolve` got.
 */
import type { RecordedEvent } from '../domain/event.ts'
import type { Receipt } from '../store/store.ts'
import { type DecidedEvents, dataOf } from './decide.ts'

export function acceptedEvents(decided: DecidedEvents, stored: Receipt): readonly RecordedEvent[] {
  const { stream, events, recordedAt, id: commitId } = decided.commit
  const { length } = events
  const recorded: RecordedEvent[] = new Array(length)
  for (let i = 0; i < length; i++) {
    const { type, revision, metadata, tags } = events[i]!
    recorded[i] = {
      type,
      data: dataOf(decided, i),
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
