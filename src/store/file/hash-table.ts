/**
 * Finds numbers (of streams, of commits) by a hash: open addressing with linear probing in one typed array, at most half
 * full. It holds no keys; whoever asks compares the candidates. Nothing is ever removed.
 */

export class HashTable {
  /** A number plus 1; 0 is free. */
  #slots: Uint32Array = new Uint32Array(1024)
  #mask = 1023
  #count = 0
  readonly #hashOf: (value: number) => number

  /** @param hashOf the hash under which a number was added, asked when the table grows */
  constructor(hashOf: (value: number) => number) {
    this.#hashOf = hashOf
  }

  /** Where the search for a hash starts. */
  first(hash: number): number {
    return hash & this.#mask
  }

  /** The number at a place of the search; -1 ends it. */
  at(place: number): number {
    return this.#slots[place]! - 1
  }

  next(place: number): number {
    return (place + 1) & this.#mask
  }

  add(hash: number, value: number): void {
    if (++this.#count * 2 > this.#slots.length) this.reserve(this.#count)
    this.#put(hash, value)
  }

  /** Makes room for so many numbers at once. */
  reserve(count: number): void {
    let length = this.#slots.length
    while (length < count * 2) length *= 2
    if (length === this.#slots.length) return
    const old = this.#slots
    this.#slots = new Uint32Array(length)
    this.#mask = length - 1
    for (const slot of old) if (slot !== 0) this.#put(this.#hashOf(slot - 1), slot - 1)
  }

  #put(hash: number, value: number): void {
    let place = hash & this.#mask
    while (this.#slots[place] !== 0) place = (place + 1) & this.#mask
    this.#slots[place] = value + 1
  }
}

/** A hash of 32 bits over the code units of a text. */
export function hashOf(seed: number, text: string): number {
  let hash = seed | 0
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
