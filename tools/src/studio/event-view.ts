/** A stored event as the page shows it: upcast, and as it was stored if that is something else. */
import { isDeepStrictEqual } from 'node:util'
import type { StoredEvent } from '../../../src/index.ts'
import { type Inspection, shown } from '../inspection/index.ts'
import type { EventView, Json } from './views.ts'

export function eventView({ domain }: Pick<Inspection, 'domain'>, event: StoredEvent): EventView {
  const { stream, position, sequence, type, revision, recordedAt, commitId, metadata, tags } = event
  return {
    position,
    aggregate: stream.aggregate,
    id: stream.id,
    sequence,
    type,
    revision,
    recordedAt: new Date(recordedAt).toISOString(),
    commitId,
    ...dataOf(domain, event),
    metadata: shown(metadata),
    tags,
  }
}

function dataOf(domain: Inspection['domain'], event: StoredEvent): Pick<EventView, 'data' | 'stored' | 'unreadable'> {
  const stored = shown(event.data)
  if (domain === undefined) return { data: stored }
  let data: Json
  try {
    data = shown(domain.upcast(event).data)
  } catch (error) {
    return { data: stored, unreadable: error instanceof Error ? error.message : String(error) }
  }
  return isDeepStrictEqual(data, stored) ? { data } : { data, stored }
}
