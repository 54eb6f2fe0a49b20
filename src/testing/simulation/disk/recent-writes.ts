/**
 * The last writes to a disk, any of which may turn out to have landed at a wrong place: where it should be, the file
 * has what it had before, and its bytes are somewhere else, in the same file or in another one. Until then programs
 * have read it from the cache of the system, so nobody has noticed it.
 */
import type { Random } from '../../random.ts'
import { apply, type Inode, sectorBytes } from './inode.ts'

const recentMax = 24

interface Write {
  readonly inode: Inode
  readonly at: number
  readonly bytes: Buffer
  /** What was there before; null bytes beyond the end of the file. */
  readonly before: Buffer
}

/** A file that a write may be of, or may land in. */
export interface Landing {
  readonly name: string
  readonly inode: Inode
  /** What stands after it is left alone, since nobody has read it yet. */
  readonly end: number
}

export class RecentWrites {
  #all: Write[] = []

  /** Some bytes are about to be written. */
  add(inode: Inode, at: number, bytes: Buffer): void {
    const before = Buffer.alloc(bytes.length)
    inode.content.read(before, at)
    this.#all.push({ inode, at, bytes, before })
    if (this.#all.length > recentMax) this.#all.shift()
  }

  /** @returns what has happened, for a reader; nothing if there is no write that it could be */
  misdirect(random: Random, files: readonly Landing[]): string | undefined {
    const byInode = new Map(files.map((file) => [file.inode, file]))
    // What was overwritten since has landed where it should.
    const there = this.#all.filter(({ inode, at, bytes }) => {
      const end = at + bytes.length
      return bytes.length > 0 && end <= (byInode.get(inode)?.end ?? 0) && isThere(inode, at, bytes)
    })
    if (there.length === 0) return undefined
    const write = random.pick(there)
    // All of it, or one of its sectors.
    const start = random.chance(0.5) ? 0 : random.below(write.bytes.length)
    const first = start === 0 ? 0 : Math.max(0, start - ((write.at + start) % sectorBytes))
    const last = start === 0 ? write.bytes.length : Math.min(write.bytes.length, first + sectorBytes)
    const bytes = write.bytes.subarray(first, last)
    const others = there.filter((each) => each !== write)
    const alike = others.filter((each) => each.bytes.length === write.bytes.length)
    // At the place of another write, which may fit exactly, or in any sector.
    const place = random.pick(alike.length > 0 && random.chance(0.5) ? alike : others.length > 0 ? others : [write])
    const file = random.chance(0.5) ? byInode.get(place.inode)! : random.pick(files)
    const sectors = Math.ceil(file.end / sectorBytes)
    const isExact = file.inode === place.inode && place !== write
    const at = isExact ? place.at + first : sectors === 0 ? 0 : random.below(sectors) * sectorBytes
    put(write.inode, write.at + first, write.before.subarray(first, last))
    put(file.inode, at, bytes.subarray(0, Math.max(0, file.end - at)))
    this.#all = []
    const own = byInode.get(write.inode)!.name
    return `${bytes.length} bytes of ${own} at ${write.at + first} have landed in ${file.name} at ${at}`
  }
}

const isThere = ({ content }: Inode, at: number, bytes: Buffer): boolean =>
  content.view.subarray(at, at + bytes.length).equals(bytes)

/** Not a change that a power failure could take back. */
function put({ content, durable }: Inode, at: number, bytes: Buffer): void {
  for (const file of [content, durable]) apply(file, { at, bytes: Buffer.from(bytes) })
}
