/**
 * Failures of the server and of the connection to it, and the catalogue's errors for them. This is the only file that
 * knows JetStream's error codes. The text of a message decides one thing only: whether a stream has reached its limit,
 * because that has the same code as a disk that failed.
 */
import { MnemeError, StoreError } from '../../../domain/error.ts'

/** JetStream's error codes (`err_code`). */
const codes = {
  temporarilyUnavailable: [10_008, 10_009],
  insufficientResources: [10_002, 10_023, 10_028, 10_047],
  /** What the server stores in failed, for any reason. */
  storeFailed: [10_077],
  streamNotFound: [10_059],
  nameInUse: [10_058],
  messageNotFound: [10_037],
  wrongLastSequence: [10_071, 10_164],
  /** Too many open batches, or one that the server has given up. */
  batchGivenUp: [10_176, 10_210, 10_211],
} as const

/** An error as JetStream reports it. */
export interface Refusal {
  readonly code: number
  readonly err_code: number
  readonly description: string
}

/** JetStream answered that it did not do what it was asked for. */
export class Refused extends Error {
  readonly refusal: Refusal
  /**
   * Whether it refused a batch of several messages as a whole, when it was complete. Server 2.15.1 looks at the quotas
   * of the account and of the server for one message after the other then, and keeps those before.
   */
  readonly isOfBatch: boolean

  constructor(refusal: Refusal, isOfBatch: boolean = false) {
    super(`${refusal.description} (${refusal.err_code})`)
    this.refusal = refusal
    this.isOfBatch = isOfBatch
  }
}

/** The server did not answer in time. Whether it did the work is unknown. */
export class NoAnswer extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
  }
}

/** The connection broke before the answer came. Whether the server did the work is unknown. */
export class ConnectionLost extends Error {
  constructor() {
    super('the connection to the server was lost')
  }
}

/** No server was there to take the request, so certainly nothing was done. A cluster may be electing a leader. */
export class NobodyThere extends Error {
  constructor(subject: string) {
    super(`no server answers requests to ${subject}`)
  }
}

/** What the server says when the quota of the account is used up. */
export const quotaReached = (): Refused =>
  new Refused({ code: 400, err_code: 10_002, description: 'resource limits exceeded for account' })

/**
 * The server has stored only the first messages of a batch, because a quota ended there. The rest of it may follow, so
 * it is unknown what becomes of it.
 */
export class Unfinished extends Error {
  /** The sequence of the last message. */
  readonly position: number

  constructor(position: number, cause?: unknown) {
    super(`the server stored only the first messages of a batch, up to ${position}`, { cause })
    this.position = position
  }
}

const isOneOf =
  (wanted: readonly number[]) =>
  (error: unknown): boolean =>
    error instanceof Refused && wanted.includes(error.refusal.err_code)

/** Whether a write was refused because a subject does not end where it was expected to. */
export const isWrongLastSequence: (error: unknown) => boolean = isOneOf(codes.wrongLastSequence)
/** Whether a batch was not taken, for a reason that passes. */
export const isBatchGivenUp: (error: unknown) => boolean = isOneOf(codes.batchGivenUp)
export const isMissingStream: (error: unknown) => boolean = isOneOf(codes.streamNotFound)
export const isMissingMessage: (error: unknown) => boolean = isOneOf(codes.messageNotFound)
/** Whether another process made the same stream at the same time. */
export const isMadeByOthers: (error: unknown) => boolean = isOneOf(codes.nameInUse)
const isUnavailable = isOneOf(codes.temporarilyUnavailable)
/** Whether an answer may have been lost, or a cluster is electing a leader. A question can be asked again. */
export const isPassing = (error: unknown): boolean =>
  isInDoubt(error) || error instanceof NobodyThere || isUnavailable(error)
/** Whether it is unknown if the server did what it was asked for. */
export const isInDoubt = (error: unknown): boolean => error instanceof NoAnswer || error instanceof ConnectionLost
const isStoreFailed = isOneOf(codes.storeFailed)
/** Limits of a stream, which the server looks at before it writes. After a failure of its disk, a write is in doubt. */
const limitsReached = new Set(['maximum bytes exceeded', 'maximum messages exceeded'])
const isQuotaReached = isOneOf(codes.insufficientResources)
/** Whether the server may have kept the first messages of a batch, and have refused the others. */
export const mayBeUnfinished = (error: unknown): boolean =>
  isInDoubt(error) || (isQuotaReached(error) && (error as Refused).isOfBatch)
export const isFull = (error: unknown): boolean =>
  (isQuotaReached(error) && !(error as Refused).isOfBatch) ||
  (isStoreFailed(error) && limitsReached.has((error as Refused).refusal.description))

/** The catalogue's error for a failed read. `doing` completes "failed while ...". */
export function readErrorOf(store: string, doing: string, error: unknown): MnemeError {
  if (error instanceof MnemeError) return error
  if (error instanceof Unfinished) return new StoreError('LOG_UNFINISHED', { store, position: error.position }, error)
  return new StoreError('STORE_UNAVAILABLE', { store, doing }, error)
}

/**
 * The catalogue's error for a failed write.
 *
 * @param untouched whether nothing of it is stored if the server refused the last part
 */
export function writeErrorOf(store: string, doing: string, error: unknown, untouched = true): MnemeError {
  if (untouched && isFull(error)) return new StoreError('STORE_FULL', { store }, error)
  if (untouched && error instanceof NobodyThere) return new StoreError('NOT_STORED', { store, doing }, error)
  return readErrorOf(store, doing, error)
}
