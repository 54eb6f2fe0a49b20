/**
 * The messages between the caller's thread and the writer's thread. A request is flat lists of texts and numbers. By
 * measurement, the structured clone of one flat list costs as little as packing bytes, and needs no unpacking.
 */
import type { JsonObject } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import type { Commit } from '../../commit.ts'
import type { AppendResult, Checkpoint, CheckpointPlace, Receipt, Row } from '../../store.ts'
import type { Settings } from '../options.ts'
import type { CutLog } from './cut-log.ts'
import type { FailureFacts } from './failure.ts'
import type { Identities } from './files-in-place.ts'

/** Texts and numbers in an order that both sides know. */
export type Flat = readonly (string | number | null)[]

/** A checkpoint whose note is JSON. */
export interface PackedCheckpoint extends CheckpointPlace {
  readonly note: string
}

/** The calls of the writer, with their requests and answers. */
export interface Calls {
  readonly append: {
    /** `callers` has the number of commits of each caller, in order. */
    readonly request: {
      readonly commits: Flat
      readonly callers: readonly number[]
      readonly writer: string | null
      readonly now: number
    }
    readonly answer: Flat
  }
  readonly reserve: {
    /** `streams` is aggregate, id, aggregate, id ... */
    readonly request: {
      readonly streams: readonly string[]
      readonly writer: string
      readonly durationMs: number
      readonly now: number
    }
    readonly answer: readonly boolean[]
  }
  readonly saveStep: {
    /** `rows` is key, value, key, value ...; a value of null deletes. */
    readonly request: {
      readonly projection: string
      readonly from: CheckpointPlace
      readonly to: PackedCheckpoint
      readonly rows: readonly (string | null)[]
    }
    /** The place of the checkpoint. If it is not `from`, nothing was changed. */
    readonly answer: CheckpointPlace
  }
  readonly resetProjection: { readonly request: { readonly projection: string }; readonly answer: null }
  readonly saveSnapshot: {
    readonly request: {
      readonly aggregate: string
      readonly id: string
      readonly sequence: number
      readonly stateRevision: number
      readonly checksum: number
      readonly fingerprint: string
      readonly takenAt: number
      readonly state: string
      readonly keep: number
    }
    readonly answer: null
  }
  readonly acquireLease: {
    readonly request: {
      readonly name: string
      readonly owner: string
      readonly durationMs: number
      readonly now: number
    }
    readonly answer: { readonly owner: string; readonly expiresAt: number }
  }
  readonly releaseLease: {
    readonly request: { readonly name: string; readonly owner: string }
    readonly answer: null
  }
}

export type CallName = keyof Calls

/** A request with its name. */
export type Request = { readonly [Name in CallName]: { readonly call: Name } & Calls[Name]['request'] }[CallName]

/** The result of a request. */
export type Reply =
  | { readonly answer: Calls[CallName]['answer'] }
  | {
      readonly failure: FailureFacts
      /** Whether it is certain that nothing of it is stored. */
      readonly isUndone: boolean
    }

/** A value as it is bound to a parameter or read from a column. */
export type Bound = string | number | bigint | null | Uint8Array

/** The calls of a caller's own transaction, with their requests and answers. */
export interface TransactionCalls {
  readonly begin: {
    readonly request: { readonly projection: string; readonly from: CheckpointPlace }
    /** The place of the checkpoint. If it is not `from`, no transaction was begun. */
    readonly answer: CheckpointPlace
  }
  readonly query: {
    readonly request: { readonly text: string; readonly values: readonly Bound[] }
    /** The rows' values one after the other. */
    readonly answer: { readonly columns: readonly string[]; readonly values: readonly Bound[] }
  }
  readonly save: {
    /** `rows` as in `saveStep`. */
    readonly request: { readonly to: PackedCheckpoint; readonly rows: readonly (string | null)[] }
    readonly answer: null
  }
  readonly undo: { readonly request: object; readonly answer: null }
}

export type TransactionCallName = keyof TransactionCalls

/** A request of a transaction with its name. */
export type TransactionRequest = {
  readonly [Name in TransactionCallName]: { readonly ask: Name } & TransactionCalls[Name]['request']
}[TransactionCallName]

/** The result of a request of a transaction. */
export type TransactionReply =
  | { readonly answer: TransactionCalls[TransactionCallName]['answer'] }
  | { readonly failure: FailureFacts }

/** What a thread needs to open a database. */
export interface Opening {
  readonly settings: Settings
  /** The identities of the files, if the store had them open before. */
  readonly identities: Identities | undefined
}

/**
 * To a database on a thread: first how to open it. Then requests that become one transaction, requests of a caller's
 * own transaction, or the end.
 */
export type ToWriter =
  | { readonly open: Opening }
  | readonly Request[]
  | { readonly asked: readonly TransactionRequest[] }
  | 'close'

/**
 * From a database on a thread: first what the write-ahead log lacks, if anything, and whether the database could be
 * opened. Then come the replies to each group of requests, and to the requests of a caller's own transaction, in order.
 * The last message says that it is closed, and why, if it was not told to.
 */
export type FromWriter =
  | { readonly cut: CutLog }
  | { readonly opened: FailureFacts | Identities }
  | { readonly replies: readonly Reply[] }
  | { readonly answered: readonly TransactionReply[] }
  | { readonly closed: string | undefined }

/** To a thread: a message to one of its databases by number, or its end. */
export type ToThread = { readonly to: number; readonly message: ToWriter } | 'leave'

/** From a thread: a message of one of its databases. */
export interface FromThread {
  readonly from: number
  readonly message: FromWriter
}

/**
 * The number of items in the flat list for each commit before its events, and for each event. The stream is null if it
 * is that of the commit before.
 */
export const itemsPerCommit = 8
export const itemsPerEvent = 5

const statuses = ['stored', 'duplicate', 'conflict', 'reserved'] as const
/** The numbers that stand for the statuses in an answer. */
export const statusNumbers = { stored: 0, duplicate: 1, conflict: 2, reserved: 3 } as const
/** Commits as a flat list. The JSON is written here, because the other thread could do that only after a deep clone. */
export function packCommits(commits: readonly Commit[]): Flat {
  const flat: (string | number | null)[] = []
  let last: StreamId | undefined
  for (const { stream, expected, id, recordedAt, events, command } of commits) {
    if (stream === last) flat.push(null, null)
    else flat.push(stream.aggregate, stream.id)
    last = stream
    flat.push(expected, id, Math.floor(recordedAt), events.length, command?.name ?? null, command?.digest ?? null)
    for (const { type, revision, data, metadata, tags } of events) {
      flat.push(type, revision, JSON.stringify(data), isEmpty(metadata) ? null : JSON.stringify(metadata))
      flat.push(tags.length === 0 ? null : JSON.stringify(tags))
    }
  }
  return flat
}

function isEmpty(record: JsonObject): boolean {
  for (const _ in record) return false
  return true
}

/** Rows as the list key, value, key, value ..., and the approximate number of their characters. */
export function packRows(rows: readonly Row[]): { readonly flat: readonly (string | null)[]; readonly size: number } {
  const flat: (string | null)[] = []
  let size = 0
  for (const { key, value } of rows) {
    const text = value === undefined ? null : JSON.stringify(value)
    flat.push(key, text)
    size += key.length + (text?.length ?? 0)
  }
  return { flat, size }
}

export function packCheckpoint({ position, term, note }: Checkpoint): PackedCheckpoint {
  return { position, term, note: JSON.stringify(note) }
}

/** Only what a save compares. */
export function placeOf({ position, term }: CheckpointPlace): CheckpointPlace {
  return { position, term }
}

/**
 * The results in an answer to `append`. Each has its status and sequence. If the commit is stored, position and
 * checksum follow; for a duplicate also count, command and digest.
 */
export function unpackResults(answer: Flat, commits: readonly Commit[]): readonly AppendResult[] {
  const results: AppendResult[] = new Array(commits.length)
  let at = 0
  for (let i = 0; i < commits.length; i++) {
    const status = statuses[answer[at] as number]!
    const sequence = answer[at + 1] as number
    if (status === 'conflict') results[i] = { status, sequence }
    else if (status === 'reserved') results[i] = { status: 'conflict', sequence, reserved: true }
    else {
      const position = answer[at + 2] as number
      const checksum = answer[at + 3] as number
      if (status === 'stored') results[i] = storedResult(commits[i]!, sequence, position, checksum)
      else results[i] = { status, sequence, position, ...commitIn(answer, at + 4, checksum) }
    }
    at += itemsOf[status]
  }
  return results
}

/** The place after a number of results in an answer. @param from where they begin */
export function endOfResults(answer: Flat, from: number, count: number): number {
  let at = from
  for (let i = 0; i < count; i++) at += itemsOf[statuses[answer[at] as number]!]
  return at
}

/** The number of items of a result in an answer. */
const itemsOf = { stored: 4, duplicate: 7, conflict: 2, reserved: 2 } as const

function storedResult({ events, command }: Commit, sequence: number, position: number, checksum: number): AppendResult {
  const count = events.length
  return command === undefined
    ? { status: 'stored', sequence, position, count, checksum }
    : { status: 'stored', sequence, position, count, checksum, command }
}

function commitIn(answer: Flat, at: number, checksum: number): Pick<Receipt, 'count' | 'checksum' | 'command'> {
  const count = answer[at] as number
  const name = answer[at + 1] as string | null
  const digest = answer[at + 2] as number | null
  return name === null || digest === null ? { count, checksum } : { count, checksum, command: { name, digest } }
}

/** What a thread that reads is asked. All queries between `begin` and `end` see the same moment. */
export type ReaderRequest =
  | { readonly ask: 'begin' | 'end' }
  | ({ readonly ask: 'query' } & TransactionCalls['query']['request'])

/** Null for `begin` and `end`. */
export type ReaderAnswer = TransactionCalls['query']['answer'] | null

export type ReaderReply = { readonly answer: ReaderAnswer } | { readonly failure: FailureFacts }

export type ToReader = ReaderRequest | 'close'

/** From a thread that reads: replies in the order of the requests. One that cannot open its file fails the first. */
export type FromReader = ReaderReply
