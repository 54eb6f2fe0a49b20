/**
 * Converts a commit to a line of the log, and back. The line names its parts with words so that a person can read it,
 * and leaves out what is empty. `batch` is the first position of the batch in which the commit was written, if that is
 * not the commit's own. After a power failure it distinguishes an unfinished batch from a damaged log.
 */
import { isStorable, type Json, type JsonObject } from '../../../domain/json.ts'
import type { Breath } from '../../../runtime/breath.ts'
import type { CommandMark, Commit, CommitEvent } from '../../commit.ts'
import type { StoredEvent } from '../../store.ts'

/** The content of a line of the log. */
export interface CommitRecord {
  readonly position: number
  readonly batch?: number
  readonly sequence: number
  readonly recordedAt: number
  readonly aggregate: string
  readonly id: string
  readonly commit: string
  readonly command?: string
  readonly digest?: number
  readonly events: readonly EventRecord[]
}

interface EventRecord {
  readonly type: string
  readonly revision: number
  readonly data: Json
  readonly metadata?: JsonObject
  readonly tags?: readonly string[]
}

const plainText = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/
/** `JSON.stringify` for a text that most often needs no escape: a third of its time. */
const quoted = (text: string): string => (plainText.test(text) ? `"${text}"` : JSON.stringify(text))

/** Names of aggregates, commands and event types in quotes. A program has few of them, and each is in many lines. */
const names = new Map<string, string>()
const namesMax = 1_000

function quotedName(name: string): string {
  const known = names.get(name)
  if (known !== undefined) return known
  if (names.size === namesMax) names.clear()
  const made = quoted(name)
  names.set(name, made)
  return made
}

/** Where a commit starts. */
export interface RecordPlace {
  readonly position: number
  /** The first position of its batch. */
  readonly batch: number
  readonly sequence: number
}

/**
 * The JSON of a commit at a place. It is made by hand because it is the hottest path of the store.
 *
 * @param listed the result of `encodeEvents` for its events
 */
export function encodeRecord(
  { stream, id, recordedAt, events, command }: Commit,
  { position, batch, sequence }: RecordPlace,
  listed: string = encodeAtOnce(events),
): string {
  const ofBatch = batch === position ? '' : `"batch":${batch},`
  const time = Number.isFinite(recordedAt) ? recordedAt : null
  const place = `{"position":${position},${ofBatch}"sequence":${sequence},"recordedAt":${time},"aggregate":`
  const owner = `${place}${quotedName(stream.aggregate)},"id":${quoted(stream.id)},"commit":${quoted(id)}`
  if (command === undefined) return `${owner},"events":[${listed}]}`
  return `${owner},"command":${quotedName(command.name)},"digest":${command.digest},"events":[${listed}]}`
}

function encodeAtOnce(events: readonly CommitEvent[]): string {
  let listed = ''
  for (const event of events) listed += listed === '' ? encodeEvent(event) : `,${encodeEvent(event)}`
  return listed
}

/** Encodes the events of a large commit in pieces. The event loop may turn between them. */
export async function encodeEvents(events: readonly CommitEvent[], breath: Breath): Promise<string> {
  let listed = ''
  for (const event of events) {
    if (breath.isDue) await breath.pause()
    listed += listed === '' ? encodeEvent(event) : `,${encodeEvent(event)}`
  }
  return listed
}

function encodeEvent({ type, revision, data, metadata, tags }: CommitEvent): string {
  let text = `{"type":${quotedName(type)},"revision":${revision},"data":${JSON.stringify(data)}`
  for (const _ in metadata) {
    text += `,"metadata":${JSON.stringify(metadata)}`
    break
  }
  if (tags.length > 0) text += `,"tags":${JSON.stringify(tags)}`
  return `${text}}`
}

/** Whether the content of a complete line is a commit. */
export function isRecord(candidate: unknown): candidate is CommitRecord {
  const record = candidate as Partial<CommitRecord> | null | undefined
  return (
    typeof record === 'object' &&
    record !== null &&
    Number.isSafeInteger(record.position) &&
    Number.isSafeInteger(record.sequence) &&
    typeof record.aggregate === 'string' &&
    typeof record.id === 'string' &&
    typeof record.commit === 'string' &&
    Array.isArray(record.events) &&
    record.events.length > 0
  )
}

/** Whether a commit could have been stored. A person may have edited the line and its checksum. */
export function isWhole({ recordedAt, aggregate, id, commit, events, command, digest }: CommitRecord): boolean {
  if (!Number.isFinite(recordedAt)) return false
  if (![aggregate, id, commit].every(isName)) return false
  if (command !== undefined && !(isName(command) && Number.isSafeInteger(digest))) return false
  return events.every(isEvent)
}

function isEvent(event: Partial<EventRecord> | null): boolean {
  const { type, revision = 0, data, metadata, tags } = event ?? {}
  return (
    isName(type) &&
    Number.isSafeInteger(revision) &&
    revision >= 1 &&
    data !== undefined &&
    isStorable(data) &&
    (metadata === undefined || isRecordOfJson(metadata)) &&
    (tags === undefined || (Array.isArray(tags) && tags.every(isName) && areDifferent(tags)))
  )
}

const isName = (found: unknown): found is string =>
  typeof found === 'string' && found !== '' && found.isWellFormed() && !found.includes('\0')
const isRecordOfJson = (found: unknown): boolean =>
  typeof found === 'object' && found !== null && !Array.isArray(found) && isStorable(found)
const areDifferent = (tags: readonly string[]): boolean => tags.length < 2 || new Set(tags).size === tags.length

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

/** The command for which a commit was stored, if it named one. */
export function markOf({ command: name, digest }: CommitRecord): CommandMark | undefined {
  return name === undefined || digest === undefined ? undefined : { name, digest }
}

/** Passes the events of a commit on, oldest first. They share the checksum of its line. */
export function eachEvent(record: CommitRecord, checksum: number, take: (event: StoredEvent) => void): void {
  const { position, sequence, recordedAt, commit: commitId, events } = record
  const stream = Object.freeze({ aggregate: record.aggregate, id: record.id })
  for (let i = 0; i < events.length; i++) {
    const { type, revision, data, metadata = noMetadata, tags = noTags } = events[i]!
    take({
      stream,
      type,
      revision,
      data,
      metadata,
      tags,
      sequence: sequence + i,
      position: position + i,
      recordedAt,
      commitId,
      checksum,
    })
  }
}
