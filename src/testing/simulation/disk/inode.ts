/** A file of a simulated disk: what programs see of it, what is durable, and the changes between the two. */
import type { Random } from '../../random.ts'
import { FileBytes } from './file-bytes.ts'

export const sectorBytes = 512

/** A change of a file that is not durable yet. */
export type Change = { readonly at: number; readonly bytes: Buffer } | { readonly length: number }

export interface Inode {
  readonly id: number
  /** What programs see. */
  readonly content: FileBytes
  readonly durable: FileBytes
  changes: Change[]
  modifiedAt: number
  /** Whether a sync has failed, and what it was for will never be durable. */
  isGivenUp: boolean
}

export const newInode = (id: number, modifiedAt: number): Inode => ({
  id,
  content: new FileBytes(),
  durable: new FileBytes(),
  changes: [],
  modifiedAt,
  isGivenUp: false,
})

export function apply(file: FileBytes, change: Change): void {
  if ('length' in change) file.resize(change.length)
  else file.write(change.bytes, change.at)
}

/** What a power failure leaves of a change: nothing, all of it, or some sectors. */
export function survive(file: FileBytes, change: Change, random: Random): void {
  const fate = random.next()
  if (fate < 0.3) return
  if (fate < 0.6 || 'length' in change) {
    apply(file, change)
    return
  }
  const { at, bytes } = change
  const end = at + bytes.length
  const length = random.chance(0.5) ? end : at + Math.floor(random.next() * bytes.length)
  if (length > file.length) file.resize(length)
  for (let from = at; from < length; ) {
    const to = Math.min((Math.floor(from / sectorBytes) + 1) * sectorBytes, length)
    if (random.chance(0.5)) file.write(bytes.subarray(from - at, to - at), from)
    from = to
  }
}
