/**
 * The events that one command produced, checked once and frozen. A store takes nothing else, so no store has to ask again
 * whether an id is too long or some data is not JSON.
 */
import { InputError } from '../domain/error.ts'
import { type Json, type JsonObject, measureJson } from '../domain/json.ts'
import { checkId, type StreamId } from '../domain/stream.ts'

/** What must hold of the stream for the commit to be stored: anything, no event yet, some event, or exactly this sequence. */
export type Expected = 'any' | 'none' | 'exists' | number

/** An event as it is stored, before it has a place. */
export interface CommitEvent {
  readonly type: string
  readonly revision: number
  readonly data: Json
  readonly metadata: JsonObject
  readonly tags: readonly string[]
}

/** An event as a caller offers it to `commit`: `revision` is 1, metadata and tags are empty if left out. */
export interface OfferedEvent {
  readonly type: string
  readonly data: unknown
  readonly revision?: number
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly tags?: readonly string[]
}

/** A commit as a caller offers it. */
export interface OfferedCommit {
  readonly stream: StreamId
  readonly expected: Expected
  /** Unique in the stream: the command's id. Appending it again changes nothing. */
  readonly id: string
  /** When it was decided, in milliseconds since 1970. */
  readonly recordedAt: number
  readonly events: readonly OfferedEvent[]
}

const trusted: unique symbol = Symbol('checked parts')

/** A checked commit. Made by `commit`; immutable. */
export class Commit {
  readonly stream: StreamId
  readonly expected: Expected
  readonly id: string
  readonly recordedAt: number
  readonly events: readonly CommitEvent[]
  /** About how many characters of JSON its events are. */
  readonly size: number
  /** Makes the class nominal: only what `commit` has checked fits. */
  readonly #checked = true

  /** Only for this module: the key proves that the parts were checked. */
  constructor(
    key: typeof trusted,
    offered: Omit<OfferedCommit, 'events'>,
    events: readonly CommitEvent[],
    size: number,
  ) {
    if (key !== trusted) throw new TypeError('use commit(...) to make a Commit')
    this.stream = offered.stream
    this.expected = offered.expected
    this.id = offered.id
    this.recordedAt = offered.recordedAt
    this.events = events
    this.size = size
  }

  /** Whether something is a checked commit: for callers without types. */
  static is(candidate: unknown): candidate is Commit {
    return typeof candidate === 'object' && candidate !== null && #checked in candidate
  }
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])
/** What an event costs in the estimate of a commit's size, besides its contents. */
const sizeOfEvent = 64

/**
 * Checks and freezes a commit.
 *
 * @throws InputError `ID_INVALID`, `DATA_NOT_JSON`, `COMMIT_EMPTY`, `RANGE_INVALID` (an expected sequence that is none)
 */
export function commit(offered: OfferedCommit): Commit {
  const { stream, events } = offered
  checkId('the name of an aggregate', stream.aggregate)
  checkId('the id of a stream', stream.id)
  checkId('the id of a commit', offered.id)
  checkExpected(offered.expected)
  if (events.length === 0) throw new InputError('COMMIT_EMPTY', { stream })
  let size = 0
  const checked = events.map((event) => {
    checkId('the type of an event', event.type)
    const data = measureJson(`The event ${event.type}`, event.data)
    const metadata = checkMetadata(event.metadata)
    const tags = checkTags(event.tags)
    size += sizeOfEvent + data.size + metadata.size + tags.join().length
    return commitEvent(event.type, event.revision ?? 1, data.value, metadata.value, tags)
  })
  const id = Object.isFrozen(stream) ? stream : Object.freeze({ aggregate: stream.aggregate, id: stream.id })
  return new Commit(trusted, { ...offered, stream: id }, Object.freeze(checked), size)
}

/**
 * For the kernel, which has checked every part already: no second look.
 *
 * @internal
 */
export function trustedCommit(
  offered: Omit<OfferedCommit, 'events'>,
  events: readonly CommitEvent[],
  contents: number,
): Commit {
  return new Commit(trusted, offered, events, contents + sizeOfEvent * events.length)
}

/** @internal */
export function commitEvent(
  type: string,
  revision: number,
  data: Json,
  metadata: JsonObject,
  tags: readonly string[],
): CommitEvent {
  return { type, revision, data, metadata, tags }
}

/** Metadata as it is stored; empty if there is none. */
export function checkMetadata(metadata: Readonly<Record<string, unknown>> | undefined): {
  readonly value: JsonObject
  readonly size: number
} {
  if (metadata === undefined) return { value: noMetadata, size: 0 }
  const { value, size } = measureJson('The metadata', metadata)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { value: value as JsonObject, size }
  throw new InputError('DATA_NOT_JSON', { what: 'The metadata', path: '', found: 'something other than a record' })
}

/** Tags as they are stored: each once, in the order given. */
export function checkTags(tags: readonly string[] | undefined): readonly string[] {
  if (tags === undefined || tags.length === 0) return noTags
  for (const tag of tags) checkId('a tag', tag)
  return Object.freeze([...new Set(tags)])
}

function checkExpected(expected: Expected): void {
  if (expected === 'any' || expected === 'none' || expected === 'exists') return
  if (typeof expected === 'number' && Number.isSafeInteger(expected) && expected >= 0) return
  throw new InputError('RANGE_INVALID', {
    from: expected,
    to: expected,
    reason: 'an expected sequence is a whole number from 0',
  })
}
