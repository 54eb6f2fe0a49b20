/**
 * Keys in the order of JavaScript's comparison, in blocks. Adding and deleting costs a binary search and moving a part
 * of a block, however many keys there are.
 */

const blockLengthMax = 512

export class OrderedKeys {
  /** Each block is sorted and not empty, and ends before the next one begins. */
  readonly #blocks: string[][] = []

  /** Does nothing if the key exists. */
  add(key: string): void {
    const blocks = this.#blocks
    const at = Math.max(this.#blockOf(key), 0)
    const block = blocks[at]
    if (block === undefined) {
      blocks.push([key])
      return
    }
    const place = firstFrom(block, key)
    if (block[place] === key) return
    block.splice(place, 0, key)
    if (block.length > blockLengthMax) blocks.splice(at + 1, 0, block.splice(blockLengthMax / 2))
  }

  /** Does nothing if the key does not exist. */
  delete(key: string): void {
    const at = this.#blockOf(key)
    if (at === -1) return
    const block = this.#blocks[at]!
    const place = firstFrom(block, key)
    if (block[place] !== key) return
    block.splice(place, 1)
    if (block.length === 0) this.#blocks.splice(at, 1)
  }

  /** Up to `count` keys from this one on, included if it exists. */
  from(key: string, count: number): readonly string[] {
    const keys: string[] = []
    for (let at = Math.max(this.#blockOf(key), 0); at < this.#blocks.length && keys.length < count; at++) {
      const block = this.#blocks[at]!
      const start = keys.length === 0 ? firstFrom(block, key) : 0
      for (let i = start; i < block.length && keys.length < count; i++) keys.push(block[i]!)
    }
    return keys
  }

  /** The last block that begins at or before a key; -1 if all begin after it. */
  #blockOf(key: string): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#blocks[middle]![0]! <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** The index of the first sorted key that is not before `key`. */
function firstFrom(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
