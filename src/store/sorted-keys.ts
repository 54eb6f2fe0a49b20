/**
 * The keys of rows in order, for a store that has them in memory. They are sorted at the first request. From then on,
 * added and deleted keys are noted and merged in at the next request, which costs one pass and no second sort.
 */

/** A sorted list of keys that follows additions and deletions. */
export class SortedKeys {
  /** Absent before the first request, and after more changes than it has keys. */
  #sorted: readonly string[] | undefined
  /** Keys that exist and are not in the list. */
  readonly #added = new Set<string>()
  /** Keys that are in the list and no longer exist. */
  readonly #gone = new Set<string>()

  /** Call this for each new key. */
  add(key: string): void {
    if (this.#sorted === undefined || this.#gone.delete(key)) return
    this.#added.add(key)
    this.#bound(this.#sorted)
  }

  /** Call this for each deleted key. */
  delete(key: string): void {
    if (this.#sorted === undefined || this.#added.delete(key)) return
    this.#gone.add(key)
    this.#bound(this.#sorted)
  }

  /** The keys in order. @param present all existing keys, in any order */
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
