/** Which errors of an append are certain. */
import { InputError, MnemeError, StoreError } from '../domain/error.ts'

/** Whether the error of an append proves that nothing was stored. */
export function isCertain(error: unknown): boolean {
  if (error instanceof InputError) return true
  if (error instanceof StoreError) return error.code !== 'STORE_UNAVAILABLE' && error.code !== 'LOG_UNFINISHED'
  return error instanceof MnemeError && error.code === 'OVERLOADED'
}
