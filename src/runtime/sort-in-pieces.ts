/** Sorts a list that may be long, in pieces. The event loop runs in between. */
import type { Breath } from './breath.ts'

/** Items that are sorted in one piece. */
const pieceSize = 512
/** Items that are merged before the clock is read. */
const stride = 64

/** The items in order. Equal items keep their order. @throws the reason of the breath's signal, if it is aborted */
export async function sortInPieces<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
  breath: Breath,
): Promise<readonly Item[]> {
  let runs: (readonly Item[])[] = []
  for (let start = 0; start < items.length; start += pieceSize) {
    runs.push(items.slice(start, start + pieceSize).sort(compare))
    if (breath.isDue) await breath.pause()
  }
  while (runs.length > 1) {
    const merged: (readonly Item[])[] = []
    for (let i = 0; i < runs.length; i += 2) {
      const [left, right] = [runs[i]!, runs[i + 1]]
      merged.push(right === undefined ? left : await merge(left, right, compare, breath))
    }
    runs = merged
  }
  return runs[0] ?? []
}

async function merge<Item>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Item, b: Item) => number,
  breath: Breath,
): Promise<readonly Item[]> {
  const all: Item[] = []
  for (let i = 0, j = 0; i < left.length || j < right.length; ) {
    if (all.length % stride === 0 && breath.isDue) await breath.pause()
    const isLeft = j >= right.length || (i < left.length && !(compare(left[i]!, right[j]!) > 0))
    all.push(isLeft ? left[i++]! : right[j++]!)
  }
  return all
}
