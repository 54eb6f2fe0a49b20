/**
 * Readings of streams for answers: one at a time for each stream, and a few at a time in all. Those who ask while a
 * reading of their stream is under way share the next one.
 */

/** Readings under way at once, of all streams. */
const readingsMax = 4

interface Gathered<Item> {
  readonly items: Item[]
  done: Promise<void>
}

export class Readings<Item> {
  /** Of each stream the reading that has not begun. */
  readonly #next = new Map<string, Gathered<Item>>()
  /** Of each stream the end of the reading that was asked for last. */
  readonly #last = new Map<string, Promise<void>>()
  #underWay = 0
  readonly #waiting: (() => void)[] = []

  /**
   * Adds an item to the next reading of a stream.
   *
   * @param read is given all items that were added until it begins
   */
  gather(stream: string, item: Item, read: (items: readonly Item[]) => Promise<void>): Promise<void> {
    const waiting = this.#next.get(stream)
    if (waiting !== undefined) {
      waiting.items.push(item)
      return waiting.done
    }
    const gathered: Gathered<Item> = { items: [item], done: Promise.resolve() }
    this.#next.set(stream, gathered)
    gathered.done = this.#run(stream, gathered.items, this.#last.get(stream), read)
    this.#last.set(stream, gathered.done)
    return gathered.done
  }

  async #run(
    stream: string,
    items: readonly Item[],
    before: Promise<void> | undefined,
    read: (items: readonly Item[]) => Promise<void>,
  ): Promise<void> {
    // Whether the one before has failed is told to those who asked for it.
    await before?.catch(() => {})
    while (this.#underWay >= readingsMax) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#underWay++
    this.#next.delete(stream)
    try {
      await read(items)
    } finally {
      this.#underWay--
      this.#waiting.shift()?.()
      if (!this.#next.has(stream)) this.#last.delete(stream)
    }
  }
}
