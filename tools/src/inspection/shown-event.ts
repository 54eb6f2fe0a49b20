/** A stored event as people look at it: upcast if the domain is there, and told apart if it cannot be read. */

import type { Json, RecordedEvent, StoredEvent } from '../../../src/index.ts'
import { wordsOf } from '../errors.ts'
import type { Inspection } from './inspection.ts'
import { shown } from './shown.ts'

export interface ShownEvent {
  readonly position: number
  readonly aggregate: string
  readonly id: string
  readonly sequence: number
  readonly type: string
  /** The revision in which it was stored. */
  readonly revision: number
  readonly recordedAt: string
  readonly commitId: string
  readonly data: Json
  readonly metadata: Json
  readonly tags: readonly string[]
  /** Why the domain cannot read it. The data is then as it is stored. */
  readonly unreadable?: string
}

/** An event, upcast if there is a domain. With `isStored` it is as it is stored. */
export function shownEvent({ domain }: Pick<Inspection, 'domain'>, stored: StoredEvent, isStored = false): ShownEvent {
  if (domain === undefined || isStored) return withData(stored, stored.data)
  let event: RecordedEvent
  try {
    event = domain.upcast(stored)
  } catch (error) {
    return { ...withData(stored, stored.data), unreadable: wordsOf(error) }
  }
  return withData(stored, event.data)
}

function withData(
  { stream, position, sequence, type, revision, recordedAt, commitId, metadata, tags }: StoredEvent,
  data: unknown,
): ShownEvent {
  return {
    position,
    aggregate: stream.aggregate,
    id: stream.id,
    sequence,
    type,
    revision,
    recordedAt: new Date(recordedAt).toISOString(),
    commitId,
    data: shown(data),
    metadata: shown(metadata),
    tags,
  }
}
