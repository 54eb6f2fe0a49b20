/** Converts errors of the operating system to errors of the catalogue. The store is named by its path. */
import { MnemeError, StoreError } from '../../../domain/error.ts'

const full = new Set<unknown>(['ENOSPC', 'EDQUOT', 'EFBIG'])
const readOnly = new Set<unknown>(['EROFS', 'EACCES', 'EPERM'])

/** The coded error for any error of the disk. An error that already has a code is returned unchanged. */
export function troubleOf(store: string, doing: string, cause: unknown): MnemeError {
  if (cause instanceof MnemeError) return cause
  const code = (cause as { readonly code?: unknown } | null)?.code
  if (full.has(code)) return new StoreError('STORE_FULL', { store }, cause)
  if (readOnly.has(code)) return new StoreError('STORE_READ_ONLY', { store }, cause)
  return new StoreError('STORE_UNAVAILABLE', { store, doing }, cause)
}

/** The error for an append of which certainly nothing was stored. */
export function notStored(store: string, doing: string, cause: unknown): MnemeError {
  const error = troubleOf(store, doing, cause)
  return error.code === 'STORE_UNAVAILABLE' ? new StoreError('NOT_STORED', { store, doing }, cause) : error
}

/** The error for a failed read, for which a full disk does not matter. */
export function unreadable(store: string, doing: string, cause: unknown): MnemeError {
  return cause instanceof MnemeError ? cause : new StoreError('STORE_UNAVAILABLE', { store, doing }, cause)
}

export function corrupt(store: string, where: string, reason: string): StoreError {
  return new StoreError('STORE_CORRUPT', { store, where, reason })
}
