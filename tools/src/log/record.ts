/**
 * An event as a line of text, with all that is stored of it, so that a log can be taken out of one store and put into
 * another. The first event of a commit also says how many events it has, and has the mark of its command, by which a
 * repetition with other data is told from a true one. A digest is over all events without that: it is the same for the
 * same log in every store.
 */
import { createHash } from 'node:crypto'
import type { CommandMark, Json, JsonObject, Receipt, StoredEvent } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'

/** An event as it is written: all that is stored of it, and nothing that depends on the store. */
export interface EventRecord {
  readonly position: number
  readonly aggregate: string
  readonly id: string
  readonly sequence: number
  readonly type: string
  readonly revision: number
  /** In ISO 8601; in milliseconds since 1970 if the year has more than four digits. */
  readonly recordedAt: string | number
  readonly commitId: string
  readonly data: Json
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  /** Only at the first event of a commit. */
  readonly commit?: CommitFacts
}

/** What is stored of a commit beside its events. */
interface CommitFacts {
  /** The number of its events. */
  readonly count: number
  readonly command?: CommandMark
}

export function recordOf(
  { position, stream, sequence, type, revision, recordedAt, commitId, data, metadata, tags }: StoredEvent,
  receipt?: Pick<Receipt, 'count' | 'command'>,
): EventRecord {
  const { aggregate, id } = stream
  const place = { position, aggregate, id, sequence, type, revision, recordedAt: timeText(recordedAt), commitId }
  return { ...place, data, metadata, tags, ...(receipt && { commit: factsOf(receipt) }) }
}

const factsOf = ({ count, command }: Pick<Receipt, 'count' | 'command'>): CommitFacts =>
  command === undefined ? { count } : { count, command: { name: command.name, digest: command.digest } }

const lastMoment = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const timeText = (ms: number): string | number => (ms <= lastMoment ? new Date(ms).toISOString() : ms)

/** Milliseconds since 1970. */
export const timeOf = ({ recordedAt }: Pick<EventRecord, 'recordedAt'>): number =>
  typeof recordedAt === 'number' ? recordedAt : Date.parse(recordedAt)

/**
 * A record from parsed JSON. Ids, data and sizes are checked when it becomes a commit.
 *
 * @throws ToolsError `LINE_INVALID`
 */
export function parseRecord(value: unknown, line: number): EventRecord {
  const refuse = (reason: string): never => {
    throw new ToolsError('LINE_INVALID', `Line ${line} is not an event of a log: ${reason}`)
  }
  if (typeof value !== 'object' || value === null) return refuse('it is not an object')
  const found = value as Partial<Record<keyof EventRecord, unknown>>
  for (const name of ['aggregate', 'id', 'type', 'commitId'] as const) {
    if (typeof found[name] !== 'string') refuse(`${name} is not a text`)
  }
  for (const name of ['position', 'sequence', 'revision'] as const) {
    if (!Number.isSafeInteger(found[name])) refuse(`${name} is not a whole number`)
  }
  if (!Number.isSafeInteger(timeOf(found as EventRecord))) refuse('recordedAt is not a time')
  if (!('data' in found)) refuse('it has no data')
  const { metadata, tags, commit } = found
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) refuse('metadata is not an object')
  if (!Array.isArray(tags) || tags.some((tag) => typeof tag !== 'string')) refuse('tags are not a list of texts')
  const { count, command } = (commit ?? { count: 1 }) as Partial<CommitFacts>
  if (!Number.isSafeInteger(count)) refuse('commit has no count')
  const { name, digest } = command ?? { name: '', digest: 0 }
  if (typeof name !== 'string' || !Number.isSafeInteger(digest)) refuse('command is not the mark of a command')
  return found as EventRecord
}

/** Whether two events are stored the same way at the same place. */
export const isSameEvent = (a: EventRecord, b: EventRecord): boolean => canonical(a) === canonical(b)

/** The properties one by one, so that their order does not depend on where the record comes from. */
const canonical = (record: EventRecord): string => {
  const { position, aggregate, id, sequence, type, revision, commitId, data, metadata, tags } = record
  const place = [position, aggregate, id, sequence, type, revision, timeOf(record), commitId]
  return JSON.stringify([...place, data, metadata, tags])
}

/** The digest of a log, event by event. */
export class LogDigest {
  readonly #hash = createHash('sha256')

  add(record: EventRecord): void {
    this.#hash.update(canonical(record)).update('\n')
  }

  /** `sha256:...`. It can be taken once. */
  end(): string {
    return `sha256:${this.#hash.digest('hex')}`
  }
}
