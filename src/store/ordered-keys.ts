/**
 * Keys in the order of JavaScript's comparison, in blocks. Adding and deleting costs a binary search and moving a part
 * of a block, however many keys there are. An item may be something smaller than its key, such as a number.
 */

const blockLengthMax = 512

export class OrderedKeys<Item = string> {
  /** Each block is sorted and not empty, and ends before the next one begins. */
  readonly #blocks: Item[][] = []
  readonly #keyOf: (item: Item) => string

  /** @param keyOf the key of an item; always the same one */
  constructor(...[keyOf]: Item extends string ? [] : [keyOf: (item: Item) => string]) {
    this.#keyOf = keyOf ?? ((item) => item as string)
  }

  /** Much faster than adding many keys one by one. */
  static of(keys: Iterable<string>): OrderedKeys {
    const sorted = [...keys].sort()
    const ordered = new OrderedKeys()
    for (let at = 0; at < sorted.length; at += blockLengthMax / 2) {
      ordered.#blocks.push(sorted.slice(at, at + blockLengthMax / 2))
    }
    return ordered
  }

  /** Does nothing if the key exists. */
  add(item: Item): void {
    const blocks = this.#blocks
    const key = this.#keyOf(item)
    const at = Math.max(this.#blockOf(key), 0)
    const block = blocks[at]
    if (block === undefined) {
      blocks.push([item])
      return
    }
    const place = this.#firstFrom(block, key)
    if (this.#isAt(block, place, key)) return
    block.splice(place, 0, item)
    if (block.length > blockLengthMax) blocks.splice(at + 1, 0, block.splice(blockLengthMax / 2))
  }

  /** Does nothing if the key does not exist. */
  delete(key: string): void {
    const at = this.#blockOf(key)
    if (at === -1) return
    const block = this.#blocks[at]!
    const place = this.#firstFrom(block, key)
    if (!this.#isAt(block, place, key)) return
    block.splice(place, 1)
    if (block.length === 0) this.#blocks.splice(at, 1)
  }

  /** Up to `count` items from this key on, included if it exists. */
  from(key: string, count: number): readonly Item[] {
    const items: Item[] = []
    for (let at = Math.max(this.#blockOf(key), 0); at < this.#blocks.length && items.length < count; at++) {
      const block = this.#blocks[at]!
      const start = items.length === 0 ? this.#firstFrom(block, key) : 0
      for (let i = start; i < block.length && items.length < count; i++) items.push(block[i]!)
    }
    return items
  }

  /** The items from this key on. Nothing may be added or deleted meanwhile. */
  *walk(key: string): Generator<Item> {
    for (let at = Math.max(this.#blockOf(key), 0), isFirst = true; at < this.#blocks.length; at++, isFirst = false) {
      const block = this.#blocks[at]!
      for (let i = isFirst ? this.#firstFrom(block, key) : 0; i < block.length; i++) yield block[i]!
    }
  }

  #isAt(block: readonly Item[], place: number, key: string): boolean {
    return place < block.length && this.#keyOf(block[place]!) === key
  }

  /** The last block that begins at or before a key; -1 if all begin after it. */
  #blockOf(key: string): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#keyOf(this.#blocks[middle]![0]!) <= key) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** The index of the first item of a block whose key is not before `key`. */
  #firstFrom(block: readonly Item[], key: string): number {
    let low = 0
    let high = block.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#keyOf(block[middle]!) < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The index of the first sorted key that is not before `key`. */
export function firstFrom<Key extends string | number>(sorted: readonly Key[], key: Key): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
