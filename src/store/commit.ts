/**
 * The events of one command, checked once and frozen. A store accepts nothing else, so no store has to check again
 * whether an id is too long or some data is not JSON.
 */
import { brand } from '../domain/brand.ts'
import { InputError } from '../domain/error.ts'
import { checkId } from '../domain/id.ts'
import { type Json, JsonCopier, type JsonObject, toJson } from '../domain/json.ts'
import { checkWhole, listExpected } from '../domain/options.ts'
import type { StreamId } from '../domain/stream.ts'

/** What a commit requires of its stream: anything, no event yet, some event, or exactly this sequence. */
export type Expected = 'any' | 'none' | 'exists' | number

/** An event as it is stored, without its sequence and position. */
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

/** The command for which a commit was made. It distinguishes a repetition from another command with the same id. */
export interface CommandMark {
  readonly name: string
  /** A number for the command's data: a whole number below 2^53, different for other data. */
  readonly digest: number
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
  readonly command?: CommandMark
}

/**
 * A checked commit. Made by `commit`; immutable. It is a class so that no other object is accepted, not even a copy of
 * a commit: a copy may have been changed.
 */
export class Commit {
  static {
    // The mark has a number, because stores read a commit's parts. The number is raised when the parts change.
    brand(Commit, 'Commit 1')
  }

  /** Makes the class nominal for the compiler. The property does not exist. */
  declare protected readonly checked: true
  readonly stream: StreamId
  readonly expected: Expected
  readonly id: string
  readonly recordedAt: number
  readonly events: readonly CommitEvent[]
  /** The approximate number of characters of JSON of its events. */
  readonly size: number
  readonly command: CommandMark | undefined
  /**
   * Whether the id was made for this commit and is appended for the first time. It is a hint: a store may then skip the
   * search for the id until its unique index refuses it. One id is still one commit.
   */
  readonly fresh: boolean

  /** For `commit` and the kernel, which have checked every part. @param size see `sizeOfLabels` */
  constructor(
    stream: StreamId,
    {
      expected,
      id,
      recordedAt,
      command,
    }: Omit<OfferedCommit, 'stream' | 'events' | 'command'> & { readonly command?: CommandMark | undefined },
    events: readonly CommitEvent[],
    size: number,
    fresh: boolean,
  ) {
    this.stream = stream
    this.expected = expected
    this.id = id
    this.recordedAt = recordedAt
    this.events = events
    this.size = size
    this.command = command
    this.fresh = fresh
  }
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])
const sizeOfEvent = 64

/**
 * Checks and freezes a commit.
 *
 * @throws InputError `ID_INVALID`, `DATA_NOT_JSON`, `COMMIT_EMPTY`, `RANGE_INVALID` (an invalid expected sequence);
 *   DefinitionError `OPTION_INVALID` (an invalid time or revision)
 */
export function commit(offered: OfferedCommit): Commit {
  const { stream, events, expected, id, recordedAt } = offered
  checkId('the name of an aggregate', stream.aggregate)
  checkId('the id of a stream', stream.id)
  checkId('the id of a commit', id)
  checkExpected(expected)
  checkWhole('recordedAt', recordedAt ?? null, 0)
  const { length } = events
  if (length === 0) throw new InputError('COMMIT_EMPTY', { stream })
  const copier = new JsonCopier()
  let size = 0
  const copies: CommitEvent[] = new Array(length)
  for (let i = 0; i < length; i++) {
    const event = events[i]!
    const { type, revision = 1 } = event
    checkId('the type of an event', type)
    checkWhole('revision', revision, 1)
    const data = copier.copy(event.data, 'The event', type)
    const metadata = checkMetadata(event.metadata)
    const tags = checkTags(event.tags)
    size += sizeOfLabels(metadata, tags)
    copies[i] = Object.freeze({ type, revision, data, metadata, tags })
  }
  const own = Object.freeze({ aggregate: stream.aggregate, id: stream.id })
  const header = { expected, id, recordedAt, command: checkedCommand(offered.command) }
  const made = new Commit(own, header, Object.freeze(copies), size + copier.size, false)
  Object.freeze(made)
  return made
}

/** The same commit for another append, after one whose outcome is unknown. */
export function repeated(commit: Commit): Commit {
  return new Commit(commit.stream, commit, commit.events, commit.size, false)
}

/** The share of an event in the estimate of a commit's size, without its data. */
export function sizeOfLabels(metadata: JsonObject, tags: readonly string[]): number {
  let size = sizeOfEvent
  if (metadata !== noMetadata) size += sizeOfMetadata(metadata)
  for (const tag of tags) size += tag.length + 3
  return size
}

let lastMetadata: JsonObject = noMetadata
let lastSize = 0

/** The characters of some metadata as JSON. Many events in a row have the same metadata, which is frozen. */
function sizeOfMetadata(metadata: JsonObject): number {
  if (metadata === lastMetadata) return lastSize
  lastMetadata = metadata
  lastSize = JSON.stringify(metadata).length
  return lastSize
}

/** Metadata as it is stored; empty if there is none. */
export function checkMetadata(metadata: Readonly<Record<string, unknown>> | undefined): JsonObject {
  if (metadata === undefined) return noMetadata
  const copy = toJson('The metadata', metadata)
  if (typeof copy === 'object' && copy !== null && !Array.isArray(copy)) return copy as JsonObject
  throw new InputError('DATA_NOT_JSON', { what: 'The metadata', path: '', found: 'something other than a record' })
}

/** Tags as they are stored: each once, in the order given. */
export function checkTags(tags: readonly string[] | undefined): readonly string[] {
  if (tags === undefined) return noTags
  if (!Array.isArray(tags)) {
    throw new InputError('ID_INVALID', { what: 'tags', id: tags, reason: `they are ${listExpected(tags, 'strings')}` })
  }
  if (tags.length === 0) return noTags
  for (const tag of tags) checkId('a tag', tag)
  return Object.freeze([...new Set(tags)])
}

function checkedCommand(command: CommandMark | undefined): CommandMark | undefined {
  if (command === undefined) return undefined
  checkId('the name of a command', command.name)
  checkWhole('digest', command.digest ?? null, 0)
  return Object.freeze({ name: command.name, digest: command.digest })
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
