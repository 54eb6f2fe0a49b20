/** Events as the program prints them: as JSON, and as a line for people. */
import type { Json, RecordedEvent, StoredEvent } from '../../../src/index.ts'
import { type Inspection, shown } from '../inspection/index.ts'
import { cut, jsonLine, type Output, plain, streamText } from './output.ts'

/** An event as `--json` prints it. */
export interface EventLine {
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
export function eventLine({ domain }: Pick<Inspection, 'domain'>, stored: StoredEvent, isStored = false): EventLine {
  if (domain === undefined || isStored) return lineOf(stored, stored.data)
  let event: RecordedEvent
  try {
    event = domain.upcast(stored)
  } catch (error) {
    return { ...lineOf(stored, stored.data), unreadable: error instanceof Error ? error.message : String(error) }
  }
  return lineOf(stored, event.data)
}

function lineOf(
  { stream, position, sequence, type, revision, recordedAt, commitId, metadata, tags }: StoredEvent,
  data: unknown,
): EventLine {
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
    metadata,
    tags,
  }
}

/** `12  2026-01-01T10:00:00.000Z  account/ada #3  MoneyDeposited  {"amount":5}`, coloured and cut for a terminal. */
export function eventText(event: EventLine, output: Pick<Output, 'style' | 'columns'>): string {
  const { position, recordedAt, aggregate, id, sequence, type, data, unreadable } = event
  const place = `${String(position).padStart(6)}  ${recordedAt}  ${streamText({ aggregate, id })} #${sequence}`
  const start = `${place}  ${plain(type)}  `
  const rest = cut(jsonLine(data), Math.max(10, output.columns - start.length))
  const [dim, name] = [output.style('dim', rest), output.style('bold', plain(type))]
  const line = `${place}  ${name}  ${dim}`
  return unreadable === undefined ? line : `${line}\n        ${output.style('yellow', `unreadable: ${unreadable}`)}`
}
