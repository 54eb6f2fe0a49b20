/**
 * The keys of some rows in order, for a store that has them in memory. They are sorted when they are first asked for.
 * From then on, added and deleted keys are remembered and merged in at the next request, which costs one pass and no
 * second sort.
 */

/** Keys in order, told what comes and goes. */
export class SortedKeys {
  /** Not kept before somebody asks, nor when more has changed than it holds. */
  #sorted: readonly string[] | undefined
  /** Keys that are there and not in the list. */
  readonly #added = new Set<string>()
  /** Keys that are in the list and not there any more. */
  readonly #gone = new Set<string>()

  /** To be called for each key that is new. */
  add(key: string): void {
    if (this.#sorted === undefined || this.#gone.delete(key)) return
    this.#added.add(key)
    this.#bound(this.#sorted)
  }

  /** To be called for each key that is deleted. */
  delete(key: string): void {
    if (this.#sorted === undefined || this.#added.delete(key)) return
    this.#gone.add(key)
    this.#bound(this.#sorted)
  }

  /** The keys in order. @param present all keys that are there, in any order */
  list(present: Iterable<string>): readonly string[] {
    if (this.#sorted === undefined) this.#sorted = [...present].sort()
    else if (this.#added.size + this.#gone.size > 0) {
      const kept = this.#gone.size === 0 ? this.#sorted : this.#sorted.filter((key) => !this.#gone.has(key))
      this.#sorted = this.#added.size === 0 ? kept : merged(kept, [...this.#added].sort())
    }
    this.#added.clear()
    this.#gone.clear()
    return this.#sorted
  }

  #bound(sorted: readonly string[]): void {
    if (this.#added.size + this.#gone.size <= sorted.length) return
    this.#sorted = undefined
    this.#added.clear()
    this.#gone.clear()
  }
}

/** Two sorted lists as one. Places are found by binary search, since comparing costs more than copying. */
function merged(many: readonly string[], few: readonly string[]): readonly string[] {
  const all: string[] = []
  let next = 0
  for (const key of few) {
    for (const end = firstFrom(many, key); next < end; next++) all.push(many[next]!)
    all.push(key)
  }
  for (; next < many.length; next++) all.push(many[next]!)
  return all
}

/** Where the first of the sorted keys is that does not come before one. */
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
