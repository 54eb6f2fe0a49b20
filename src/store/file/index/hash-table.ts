/**
 * Finds numbers (of streams, of commits) by a hash: open addressing with linear probing in one typed array, at most
 * half full. It has no keys; the caller compares the candidates. Nothing is ever removed.
 *
 * When the array is half full a larger one is begun. Each addition then moves a few numbers to it, so no addition takes
 * long, however large the table is. Until all have moved, a search looks at both arrays.
 */

/** This moves numbers at least twice as fast as additions could fill the larger array. */
const slotsMovedEach = 8

export class HashTable {
  /** For each slot a number plus 1, or 0 if it is free. */
  #slots: Uint32Array = new Uint32Array(1024)
  #mask = 1023
  #count = 0
  /** The smaller array whose numbers are being moved, and the number of its slots that are done. */
  #old: Uint32Array | undefined
  #moved = 0
  readonly #hashOf: (value: number) => number
  /** The slot of the current search. */
  #place = 0
  #hash = 0
  #isInOld = false

  /** @param hashOf returns the hash under which a number was added; called when it moves */
  constructor(hashOf: (value: number) => number) {
    this.#hashOf = hashOf
  }

  /** Begins a search, and ends the one before. `next` returns the numbers that may have been added under the hash. */
  seek(hash: number): void {
    this.#hash = hash
    this.#place = hash & this.#mask
    this.#isInOld = false
  }

  /** The next number of the search, or -1 at its end. */
  next(): number {
    if (!this.#isInOld) {
      const slot = this.#slots[this.#place]!
      this.#place = (this.#place + 1) & this.#mask
      if (slot !== 0) return slot - 1
      if (this.#old === undefined) return -1
      this.#isInOld = true
      this.#place = this.#hash & (this.#old.length - 1)
    }
    return this.#nextOld(this.#old!)
  }

  add(hash: number, value: number): void {
    if (this.#old !== undefined) this.#move(this.#old, slotsMovedEach)
    if (++this.#count * 2 > this.#slots.length) this.#grow()
    this.#put(hash, value)
  }

  /** Makes room for a number of entries, while the table is empty. */
  reserve(count: number): void {
    if (this.#count > 0) return
    let { length } = this.#slots
    while (length < count * 2) length *= 2
    this.#slots = new Uint32Array(length)
    this.#mask = length - 1
  }

  #nextOld(old: Uint32Array): number {
    for (;;) {
      const place = this.#place
      const slot = old[place]!
      if (slot === 0) return -1
      this.#place = (place + 1) & (old.length - 1)
      // Numbers that have moved were found in the new array.
      if (place >= this.#moved) return slot - 1
    }
  }

  #grow(): void {
    if (this.#old !== undefined) this.#move(this.#old, this.#old.length)
    this.#old = this.#slots
    this.#moved = 0
    this.#slots = new Uint32Array(this.#old.length * 2)
    this.#mask = this.#slots.length - 1
  }

  #move(old: Uint32Array, count: number): void {
    const end = Math.min(this.#moved + count, old.length)
    for (; this.#moved < end; this.#moved++) {
      const slot = old[this.#moved]!
      if (slot !== 0) this.#put(this.#hashOf(slot - 1), slot - 1)
    }
    if (end === old.length) this.#old = undefined
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
