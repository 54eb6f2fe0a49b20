/**
 * Reads streams for stored answers: one reading at a time for each stream, and a few at a time in all. Requests that
 * come during a reading of the same stream share the next reading.
 */

/** The most readings at the same time, of all streams together. */
const readingsMax = 4

interface Gathered<Item> {
  readonly items: Item[]
  done: Promise<void>
}

export class Readings<Item> {
  /** The reading of each stream that has not begun yet. */
  readonly #next = new Map<string, Gathered<Item>>()
  /** The end of the newest reading of each stream. */
  readonly #last = new Map<string, Promise<void>>()
  #underWay = 0
  readonly #waiting: (() => void)[] = []

  /**
   * Adds an item to the next reading of a stream.
   *
   * @param read gets all items that were added before it begins
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
    // If the previous reading failed, its own callers get the error.
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
