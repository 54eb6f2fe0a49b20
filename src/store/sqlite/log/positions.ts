/**
 * Sorted lists of positions that are read from an index in chunks, and can be searched from the current place. Filtered
 * reads are made from them. The cost is the number of entries that are looked at, not the length of the log.
 */

/** Positions in reading order. */
export interface Positions {
  /** The first position at or after `from` in reading direction. `from` never goes back. */
  seek(from: number): number | undefined
}

/** Up to `count` positions at or after `from` in reading direction, in order. */
export type ReadChunk = (from: number, count: number) => readonly number[]

const chunkFirst = 16
const chunkMax = 1024

/** The positions in one list of an index. Chunks grow as they are used up, so a rare or distant match is cheap. */
export function indexed(read: ReadChunk, backward: boolean): Positions {
  let chunk: readonly number[] = []
  let next = 0
  let used = 0
  let size = chunkFirst
  let ended = false
  const isBefore = (position: number, from: number) => (backward ? position > from : position < from)
  return {
    seek(from) {
      const last = chunk.at(-1)
      if (last !== undefined && isBefore(last, from)) next = chunk.length
      while (next < chunk.length && isBefore(chunk[next]!, from)) next++
      if (next === chunk.length && !ended) {
        if (chunk.length > 0) size = used * 4 >= chunk.length ? Math.min(size * 2, chunkMax) : chunkFirst
        chunk = read(from, size)
        next = 0
        used = 0
        ended = chunk.length < size
      }
      used++
      return chunk[next]
    },
  }
}

/** The positions that are in any of the lists. */
export function union(lists: readonly Positions[], backward: boolean): Positions {
  return {
    seek(from) {
      let first: number | undefined
      for (const list of lists) {
        const position = list.seek(from)
        if (position !== undefined && (first === undefined || (backward ? position > first : position < first))) {
          first = position
        }
      }
      return first
    },
  }
}

/**
 * One step towards the next position that is in all lists. Each list in turn may move the candidate on.
 *
 * @returns the candidate and whether all lists have it, or undefined if there is none
 */
export function agree(
  lists: readonly Positions[],
  from: number,
): { readonly position: number; readonly agreed: boolean } | undefined {
  let position = from
  let agreed = true
  for (const list of lists) {
    const found = list.seek(position)
    if (found === undefined) return undefined
    // The first list only says where to begin. A later list without that position moves the others on.
    if (found !== position && list !== lists[0]) agreed = false
    position = found
  }
  return { position, agreed }
}
