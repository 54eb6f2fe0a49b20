/**
 * The mark of a store that answers before its commits are on the disk. It says from which byte of the log on nothing is
 * promised. It is written durably before the first such answer, and removed when everything is synced. The next opening
 * therefore knows what a power failure may have done to the log, whatever its own options are.
 */
import { type Disk, replaceFile, writeFully } from '../database/disk.ts'
import { corrupt } from '../database/failure.ts'

const markName = 'unsynced.json'

/** The byte of the whole log from which on it may not be synced; infinite if all of it is. */
export async function unsyncedFrom(disk: Disk, directory: string): Promise<number> {
  const path = `${directory}/${markName}`
  const text = await disk.readText(path)
  if (text === undefined) return Number.POSITIVE_INFINITY
  const from = parsed(text)
  if (Number.isSafeInteger(from) && (from as number) >= 0) return from as number
  throw corrupt(directory, path, 'it does not say from which byte on the log may not be synced')
}

export function markUnsynced(disk: Disk, directory: string, from: number): Promise<void> {
  return replaceFile(disk, directory, markName, (file) =>
    writeFully(file, Buffer.from(`${JSON.stringify({ from })}\n`), 0),
  )
}

/** Call this when everything is synced. */
export async function unmarkUnsynced(disk: Disk, directory: string): Promise<void> {
  await disk.remove(`${directory}/${markName}`)
  await disk.syncDirectory(directory)
}

function parsed(text: string): unknown {
  try {
    return (JSON.parse(text) as { readonly from?: unknown } | null)?.from
  } catch {
    return undefined
  }
}
