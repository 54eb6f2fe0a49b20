/**
 * Failures of the server and of the connection to it, and the catalogue's errors for them. This is the only file that
 * knows MongoDB's error codes. The text of a message never decides anything.
 */
import { MnemeError, StoreError } from '../../../domain/error.ts'

/** MongoDB's error codes. */
const codes = {
  unauthorized: 13,
  namespaceNotFound: 26,
  namespaceExists: 48,
  indexOptionsConflict: 85,
  indexKeySpecsConflict: 86,
  readConcernMajorityNotEnabled: 148,
  notImplemented: 238,
  duplicateKey: 11_000,
  outOfDiskSpace: 14_031,
} as const

/** The part of a write that a server refused. For an ordered write it is the first one. */
export interface WriteError {
  readonly index: number
  readonly code: number
  readonly errmsg: string
  /** The fields of the violated index. Not every server names them. */
  readonly keyPattern?: Readonly<Record<string, unknown>>
}

/** A server refused a part of a write, for another reason than a duplicate key. */
export class WriteRefused extends Error {
  readonly code: number
  /** The number of parts before it that were done. */
  readonly index: number

  constructor({ code, errmsg, index }: WriteError) {
    super(`${errmsg} (${code})`)
    this.code = code
    this.index = index
  }
}

/** The server did not answer in time. Whether it did the work is unknown. */
export class NoAnswer extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
  }
}

/** Whether a write was refused for a duplicate key. */
export const isDuplicate = (error: unknown): boolean => codeOf(error) === codes.duplicateKey

/** Whether an error says that a collection does not exist. */
export const isMissingCollection = (error: unknown): boolean => codeOf(error) === codes.namespaceNotFound

/** Whether an error says that another process made the same collection or index at the same time. */
export const isMadeByOthers = (error: unknown): boolean =>
  [codes.namespaceExists, codes.indexOptionsConflict, codes.indexKeySpecsConflict, codes.duplicateKey].some(
    (code) => code === codeOf(error),
  )

/** Whether an error says that the server has no majority reads. */
export const refusesMajorityReads = (error: unknown): boolean =>
  [codes.readConcernMajorityNotEnabled, codes.notImplemented].some((code) => code === codeOf(error))

/** The catalogue's error for a failed read. `doing` completes "failed while ...". */
export function readErrorOf(store: string, doing: string, error: unknown): MnemeError {
  return error instanceof MnemeError ? error : new StoreError('STORE_UNAVAILABLE', { store, doing }, error)
}

/**
 * The catalogue's error for a failed write.
 *
 * @param untouched whether nothing of it is stored if the server reports that it refused it
 */
export function writeErrorOf(store: string, doing: string, error: unknown, untouched = true): MnemeError {
  const isClean = untouched && !(error instanceof WriteRefused && error.index > 0)
  if (isClean && codeOf(error) === codes.outOfDiskSpace) return new StoreError('STORE_FULL', { store }, error)
  if (isClean && codeOf(error) === codes.unauthorized) return new StoreError('STORE_READ_ONLY', { store }, error)
  return readErrorOf(store, doing, error)
}

function codeOf(error: unknown): number | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'number' ? code : undefined
}
