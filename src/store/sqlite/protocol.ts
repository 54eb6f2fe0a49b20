/**
 * What the caller's thread and the writer's thread say to each other. A request is flat lists of texts and numbers:
 * measured, the structured clone of one flat list costs as little as packing bytes, and needs no unpacking.
 */
import type { Commit } from '../commit.ts'
import type { AppendResult, Row } from '../store.ts'
import type { FailureFacts } from './failure.ts'

/** Texts and numbers one after the other, in an order that both sides know. */
export type Flat = readonly (string | number)[]

/** What can be asked of the writer, and what it answers. */
export interface Calls {
  readonly append: { readonly request: { readonly commits: Flat }; readonly answer: readonly number[] }
  readonly saveStep: {
    /** `rows` is key, value, key, value ...; a value of null deletes. */
    readonly request: {
      readonly projection: string
      readonly from: number
      readonly to: number
      readonly rows: readonly (string | null)[]
    }
    /** Where the checkpoint was; anything but `from` means that nothing was changed. */
    readonly answer: number
  }
  readonly resetProjection: { readonly request: { readonly projection: string }; readonly answer: null }
  readonly saveSnapshot: {
    readonly request: {
      readonly aggregate: string
      readonly id: string
      readonly sequence: number
      readonly stateRevision: number
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

/** What a request came to. */
export type Reply = { readonly answer: Calls[CallName]['answer'] } | { readonly failure: FailureFacts }

/** A value as it is bound to a parameter or read from a column. */
export type Bound = string | number | bigint | null | Uint8Array

/** What a caller's own transaction asks for, and what is answered. */
export interface TransactionCalls {
  readonly begin: {
    readonly request: { readonly projection: string; readonly from: number }
    /** Where the checkpoint is; anything but `from` means that no transaction was begun. */
    readonly answer: number
  }
  readonly query: {
    readonly request: { readonly text: string; readonly values: readonly Bound[] }
    /** The rows' values one after the other. */
    readonly answer: { readonly columns: readonly string[]; readonly values: readonly Bound[] }
  }
  readonly save: {
    /** `rows` as in `saveStep`. */
    readonly request: { readonly to: number; readonly rows: readonly (string | null)[] }
    readonly answer: null
  }
  readonly undo: { readonly request: object; readonly answer: null }
}

export type TransactionCallName = keyof TransactionCalls

/** A request of a transaction with its name. */
export type TransactionRequest = {
  readonly [Name in TransactionCallName]: { readonly ask: Name } & TransactionCalls[Name]['request']
}[TransactionCallName]

/** What a request of a transaction came to. */
export type TransactionReply =
  | { readonly answer: TransactionCalls[TransactionCallName]['answer'] }
  | { readonly failure: FailureFacts }

/** To the writer: requests that become one transaction, requests of a caller's own transaction, or the end. */
export type ToWriter = readonly Request[] | { readonly asked: readonly TransactionRequest[] } | 'close'

/**
 * From the writer: first whether it could open the database, then the replies to each group of requests, and to the requests of a
 * caller's own transaction, in order.
 */
export type FromWriter =
  | { readonly opened: FailureFacts | 'well' }
  | { readonly replies: readonly Reply[] }
  | { readonly answered: readonly TransactionReply[] }

/** How many items of the flat list a commit takes before its events, and each event. */
export const itemsPerCommit = 6
export const itemsPerEvent = 5

const statuses = ['stored', 'duplicate', 'conflict'] as const
/** The numbers that stand for the statuses in an answer, four numbers a commit. */
export const statusNumbers = { stored: 0, duplicate: 1, conflict: 2 } as const

/** Commits as a flat list. The JSON is written here: the other thread could only do it after a deep clone. */
export function packCommits(commits: readonly Commit[]): Flat {
  const flat: (string | number)[] = []
  for (const { stream, expected, id, recordedAt, events } of commits) {
    flat.push(stream.aggregate, stream.id, expected, id, Math.floor(recordedAt), events.length)
    for (const { type, revision, data, metadata, tags } of events) {
      flat.push(type, revision, JSON.stringify(data), JSON.stringify(metadata))
      flat.push(tags.length === 0 ? '[]' : JSON.stringify(tags))
    }
  }
  return flat
}

/** Rows as the list key, value, key, value ..., and about how many characters they are. */
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

/** The results in an answer to `append`. */
export function unpackResults(numbers: readonly number[]): readonly AppendResult[] {
  const results: AppendResult[] = []
  for (let i = 0; i < numbers.length; i += 4) {
    const status = statuses[numbers[i]!]!
    const sequence = numbers[i + 1]!
    if (status === 'conflict') results.push({ status, sequence })
    else results.push({ status, sequence, position: numbers[i + 2]!, count: numbers[i + 3]! })
  }
  return results
}
