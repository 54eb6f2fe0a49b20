/** What an error of the operating system means for a store. The store is named by its path. */
import { MnemeError, StoreError } from '../../../domain/error.ts'

const full = new Set<unknown>(['ENOSPC', 'EDQUOT', 'EFBIG'])
const readOnly = new Set<unknown>(['EROFS', 'EACCES', 'EPERM'])

/** The coded error for anything that a call to the disk threw; an error that has a code already stays as it is. */
export function troubleOf(store: string, doing: string, cause: unknown): MnemeError {
  if (cause instanceof MnemeError) return cause
  const code = (cause as { readonly code?: unknown } | null)?.code
  if (full.has(code)) return new StoreError('STORE_FULL', { store }, cause)
  if (readOnly.has(code)) return new StoreError('STORE_READ_ONLY', { store }, cause)
  return new StoreError('STORE_UNAVAILABLE', { store, doing }, cause)
}

/** For an append of which certainly nothing is there. */
export function notStored(store: string, doing: string, cause: unknown): MnemeError {
  const error = troubleOf(store, doing, cause)
  return error.code === 'STORE_UNAVAILABLE' ? new StoreError('NOT_STORED', { store, doing }, cause) : error
}

/** For a read that failed: whether there is room does not matter then. */
export function unreadable(store: string, doing: string, cause: unknown): MnemeError {
  return cause instanceof MnemeError ? cause : new StoreError('STORE_UNAVAILABLE', { store, doing }, cause)
}

export function corrupt(store: string, where: string, reason: string): StoreError {
  return new StoreError('STORE_CORRUPT', { store, where, reason })
}
