/** What is certain when an append has failed. */
import { InputError, MnemeError, StoreError } from '../domain/error.ts'

/** Whether an error proves that nothing was stored. */
export function isCertain(error: unknown): boolean {
  if (error instanceof InputError) return true
  if (error instanceof StoreError) return error.code !== 'STORE_UNAVAILABLE'
  return error instanceof MnemeError && error.code === 'OVERLOADED'
}
