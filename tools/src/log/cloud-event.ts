/**
 * Events as CloudEvents 1.0 in JSON. `source` and `id` identify an event; what CloudEvents has no attribute for is in
 * extension attributes, which may only hold texts and small numbers, so metadata and tags are JSON texts there.
 */
import type { EventRecord } from './record.ts'

/** An event in the JSON format of CloudEvents. */
export interface CloudEvent {
  readonly specversion: '1.0'
  /** The position in the log. */
  readonly id: string
  readonly source: string
  readonly type: string
  /** The id of the stream. */
  readonly subject: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly data: EventRecord['data']
  readonly aggregate: string
  readonly sequence: string
  readonly revision: number
  readonly commitid: string
  readonly metadata: string
  readonly tags: string
  /** The facts of the commit, as JSON. */
  readonly commit?: string
  /** Of the metadata, for programs that continue a trace. */
  readonly traceparent?: string
}

export function toCloudEvent(record: EventRecord): CloudEvent {
  const { position, aggregate, id, sequence, type, revision, recordedAt, commitId, data } = record
  const { metadata, tags, commit } = record
  const { traceparent } = metadata
  return {
    specversion: '1.0',
    id: String(position),
    source: `/mneme/${encodeURIComponent(aggregate.toWellFormed())}`,
    type,
    subject: id,
    time: String(recordedAt),
    datacontenttype: 'application/json',
    data,
    aggregate,
    sequence: String(sequence),
    revision,
    commitid: commitId,
    metadata: JSON.stringify(metadata),
    tags: JSON.stringify(tags),
    ...(commit && { commit: JSON.stringify(commit) }),
    ...(typeof traceparent === 'string' && { traceparent }),
  }
}

/** Whether a parsed line is a CloudEvent rather than a record. */
export const isCloudEvent = (value: unknown): value is CloudEvent =>
  typeof value === 'object' && value !== null && 'specversion' in value

/** The parts of a record, still to be checked. @throws SyntaxError if metadata, tags or commit are not JSON */
export function fromCloudEvent(event: CloudEvent): unknown {
  const { id, type, subject, time, data, aggregate, sequence, revision, commitid, metadata, tags, commit } = event
  return {
    position: Number(id),
    aggregate,
    id: subject,
    sequence: Number(sequence),
    type,
    revision,
    recordedAt: /^\d+$/.test(time) ? Number(time) : time,
    commitId: commitid,
    data,
    metadata: JSON.parse(metadata),
    tags: JSON.parse(tags),
    ...(commit !== undefined && { commit: JSON.parse(commit) }),
  }
}
