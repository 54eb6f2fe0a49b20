/**
 * A map with texts as keys, for any number of entries. A `Map` copies itself when it grows, which takes seconds for
 * millions of entries, and holds no more than 2^24. When this one is large it consists of many small maps, each of
 * which grows on its own.
 */
import { hashOf } from '../index/hash-table.ts'

const entriesOfOneMax = 16_384
const mapsCount = 512

export class GrowingMap<Value> {
  #maps: readonly Map<string, Value>[] = [new Map()]
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: string): Value | undefined {
    return this.#mapOf(key).get(key)
  }

  has(key: string): boolean {
    return this.#mapOf(key).has(key)
  }

  set(key: string, value: Value): void {
    const map = this.#mapOf(key)
    this.#size -= map.size
    map.set(key, value)
    this.#size += map.size
    if (this.#maps.length === 1 && this.#size > entriesOfOneMax) this.#divide(map)
  }

  delete(key: string): boolean {
    const isGone = this.#mapOf(key).delete(key)
    if (isGone) this.#size--
    return isGone
  }

  /** The entries, in any order. An entry that is added or deleted meanwhile may be among them or not. */
  *entries(): Iterable<readonly [string, Value]> {
    for (const map of this.#maps) yield* map
  }

  #divide(all: ReadonlyMap<string, Value>): void {
    this.#maps = Array.from({ length: mapsCount }, () => new Map<string, Value>())
    for (const [key, value] of all) this.#mapOf(key).set(key, value)
  }

  #mapOf(key: string): Map<string, Value> {
    const maps = this.#maps
    return maps.length === 1 ? maps[0]! : maps[hashOf(0, key) & (mapsCount - 1)]!
  }
}
