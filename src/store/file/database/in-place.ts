/**
 * Notices that files were deleted or replaced while they were open. The next process that opens the store would not
 * find what is written to such a file. The file at the path is compared with the open one, which takes some
 * microseconds.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Disk, DiskFile } from './disk.ts'

/** An open file, with its path and identity. */
export interface HeldFile {
  readonly path: string
  readonly file: DiskFile
  readonly identity: string
}

/** Reads the identity of an open file. Closes the file if that fails. */
export async function hold(path: string, file: DiskFile): Promise<HeldFile> {
  try {
    return { path, file, identity: await file.identity() }
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
}

/** @throws StoreError `STORE_HALTED` if the file at the path is now another one, or is missing */
export async function checkInPlace(disk: Disk, store: string, { path, identity }: HeldFile): Promise<void> {
  let found: string | undefined
  let cause: unknown
  try {
    found = await disk.identityOf(path)
  } catch (error) {
    cause = error
  }
  if (found === identity) return
  const reason = `${path} was deleted or replaced while it was open, or cannot be checked`
  throw new StoreError('STORE_HALTED', { store, reason }, cause)
}
