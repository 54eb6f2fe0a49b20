/**
 * The form of a stored event: one message, its checksum as eight hexadecimal digits and JSON:
 *
 *     9d3c01f2{"stream":["account","ada"],"sequence":7,"links":[41,40,12],"commit":"…","recordedAt":1767225600123,
 *      "place":[0,2],"command":["deposit",8123],"type":"Deposited","data":5,"tags":["gift"]}
 *
 * `place` is the index of the event in its commit, and the number of events of that commit. `links` are positions of
 * earlier events (`links.ts`). The position itself is the message's sequence, which the server decides. Within a batch
 * the position of an earlier event is not known yet, so such a link is written as the negative distance to it.
 */
import type { Json, JsonObject } from '../../../domain/json.ts'
import type { CommandMark, Commit, CommitEvent } from '../../commit.ts'
import type { Receipt, StoredEvent } from '../../store.ts'
import { isRecord, isText, isWhole, readChecked, writeCheckedBytes } from '../database/checked-text.ts'
import type { Outgoing, Stored } from '../database/connection.ts'
import { type LinkedPlace, linked } from './links.ts'

/** An event with what its message says of its commit and of earlier events. */
export interface ReadEvent {
  readonly event: StoredEvent
  readonly links: readonly number[]
  /** From 0. */
  readonly index: number
  /** The number of events of its commit. */
  readonly count: number
  readonly command: CommandMark | undefined
}

interface EventText {
  readonly stream: readonly [aggregate: string, id: string]
  readonly sequence: number
  readonly links: readonly number[]
  readonly commit: string
  readonly recordedAt: number
  readonly place: readonly [index: number, count: number]
  readonly command?: readonly [name: string, digest: number]
  readonly type: string
  readonly revision?: number
  readonly data: Json
  readonly metadata?: JsonObject
  readonly tags?: readonly string[]
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

interface WrittenEvent {
  readonly data: Uint8Array
  readonly checksum: number
}

/** @param links positions, or negative distances */
function writeEvent(commit: Commit, index: number, sequence: number, links: readonly number[]): WrittenEvent {
  const { stream, id, recordedAt, events, command } = commit
  const { type, revision, data, metadata, tags } = events[index] as CommitEvent
  return writeCheckedBytes({
    stream: [stream.aggregate, stream.id],
    sequence,
    links,
    commit: id,
    recordedAt,
    place: [index, events.length],
    ...(command && { command: [command.name, command.digest] }),
    type,
    ...(revision !== 1 && { revision }),
    data,
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(tags.length > 0 && { tags }),
  } satisfies EventText)
}

/** Where an event is: in its commit and in its stream. */
interface WrittenPlace {
  readonly index: number
  readonly sequence: number
  /** As in `writeEvent`. */
  readonly links: readonly number[]
}

/** The message of an event. It is written when it is sent, so that the server works on those before it meanwhile. */
export class EventMessage implements Outgoing {
  readonly subject: string
  readonly expected?: number
  readonly #commit: Commit
  readonly #place: WrittenPlace
  #written: WrittenEvent | undefined

  constructor(subject: string, commit: Commit, place: WrittenPlace, expected: number | undefined) {
    this.subject = subject
    if (expected !== undefined) this.expected = expected
    this.#commit = commit
    this.#place = place
  }

  get data(): Uint8Array {
    return this.#text().data
  }

  get checksum(): number {
    return this.#text().checksum
  }

  #text(): WrittenEvent {
    const { index, sequence, links } = this.#place
    this.#written ??= writeEvent(this.#commit, index, sequence, links)
    return this.#written
  }
}

/** @throws StoreError `STORE_CORRUPT` */
export function readEvent({ sequence: position, data }: Stored, store: string): ReadEvent {
  const { value: stored, checksum } = readChecked(data, isEventText, { store, where: `position ${position}` })
  const { stream, sequence, links, commit: commitId, recordedAt, place, command } = stored
  const { type, revision = 1, data: value, metadata = noMetadata, tags = noTags } = stored
  const event: StoredEvent = {
    stream: { aggregate: stream[0], id: stream[1] },
    type,
    revision,
    data: value,
    metadata,
    tags,
    sequence,
    position,
    recordedAt,
    commitId,
    checksum,
  }
  return {
    event,
    links: links.map((link) => (link < 0 ? position + link : link)),
    index: place[0],
    count: place[1],
    command: command && { name: command[0], digest: command[1] },
  }
}

/** The receipt of a commit, by its last event or, without a checksum, by any other. */
export function receiptOf({ event, count, command }: ReadEvent): Receipt {
  const { sequence, position, checksum } = event
  return { sequence, position, count, checksum, ...(command && { command }) }
}

/** Whether an event is the last one of its commit. */
export const endsCommit = ({ index, count }: ReadEvent): boolean => index === count - 1

export const placeOf = ({ event, links }: ReadEvent): LinkedPlace => ({
  sequence: event.sequence,
  position: event.position,
  links,
})

function isEventText(value: unknown): value is EventText {
  if (!isRecord(value)) return false
  const { stream, sequence, links, commit, recordedAt, place, command, type, revision, data, metadata, tags } = value
  return (
    isListOf(stream, isText, 2) &&
    isWhole(sequence, 1) &&
    isListOf(links, Number.isSafeInteger, linked(sequence).length) &&
    isText(commit) &&
    isWhole(recordedAt) &&
    isListOf(place, isWhole, 2) &&
    (place as readonly number[])[0]! < (place as readonly number[])[1]! &&
    (command === undefined ||
      (Array.isArray(command) && command.length === 2 && isText(command[0]) && isWhole(command[1]))) &&
    isText(type) &&
    (revision === undefined || isWhole(revision, 1)) &&
    data !== undefined &&
    (metadata === undefined || isRecord(metadata)) &&
    (tags === undefined || isListOf(tags, isText))
  )
}

const isListOf = (value: unknown, isGood: (item: unknown) => boolean, length?: number): boolean =>
  Array.isArray(value) && (length === undefined || value.length === length) && value.every((item) => isGood(item))

/**
 * The greatest number of bytes for a character of a commit's estimated size. The worst events are only a type of 1 KB,
 * which the estimate counts as a few characters. Commits with a small estimate need no measuring.
 */
const bytesPerCharacterMax = 40
/** What an event's message has beside the event: ids and links, and the headers of its batch. */
const bytesAround = 8192

/** An upper bound for the bytes of a commit's largest message, close to its size if it is above the limit. */
export function bytesMaxOf(commit: Commit, sizeMax: number): number {
  const least = commit.size * bytesPerCharacterMax + bytesAround
  if (least <= sizeMax) return least
  let largest = 0
  for (const index of commit.events.keys()) {
    largest = Math.max(largest, writeEvent(commit, index, 1, []).data.length)
  }
  return largest + bytesAround
}
