/**
 * Notices that files were deleted or replaced while they were open: the next process that opens the store would not
 * find what is written to such a file. The file at the path and the open one are compared, which costs some
 * microseconds.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Disk, DiskFile } from './disk.ts'

/** A file that is held open, and what tells it from another at its path. */
export interface HeldFile {
  readonly path: string
  readonly file: DiskFile
  readonly identity: string
}

/** Closes the file if it cannot be held. */
export async function hold(path: string, file: DiskFile): Promise<HeldFile> {
  try {
    return { path, file, identity: await file.identity() }
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
}

/** @throws StoreError `STORE_HALTED` if the file at the path is another by now, or none */
export async function checkInPlace(disk: Disk, store: string, { path, identity }: HeldFile): Promise<void> {
  let found: string | undefined
  let cause: unknown
  try {
    found = await disk.identityOf(path)
  } catch (error) {
    cause = error
  }
  if (found === identity) return
  const reason = `${path} was deleted or replaced while it was open, or cannot be looked for`
  throw new StoreError('STORE_HALTED', { store, reason }, cause)
}
