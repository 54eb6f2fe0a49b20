/**
 * Finds a number (of a commit in its stream) by a hash: open addressing in typed arrays, with the hash beside the
 * number, so that a missing number is noticed without reading any commit. A full part is split in two (extendible
 * hashing, Fagin et al. 1979): no addition takes long, however many there are.
 */

/** Numbers in a part; it is divided when it has more. */
const partMax = 2048
const slotsFirst = 16

/** Entries whose hashes end in the same bits. */
interface Part {
  /** How many bits those are. */
  readonly bits: number
  count: number
  /** For each slot a number plus 1, or 0 if it is free, and a hash. */
  slots: Int32Array
}

export class CommitTable {
  /** By the last bits of a hash. */
  #parts: Part[] = [partOf(0, slotsFirst)]
  #count = 0
  readonly #nameOf: (value: number) => string

  /** @param nameOf what distinguishes the number from others with the same hash */
  constructor(nameOf: (value: number) => string) {
    this.#nameOf = nameOf
  }

  add(hash: number, value: number): void {
    this.#count++
    let part = this.#partOf(hash)
    while (part.count >= partMax && this.#mayDivide(part)) {
      this.#divide(part, hash)
      part = this.#partOf(hash)
    }
    // Two words a slot, at most half of the slots: as many numbers as a quarter of the words.
    if (part.count * 4 === part.slots.length) part.slots = larger(part.slots)
    part.count++
    put(part.slots, hash, value + 1)
  }

  /** The number with a hash and a name; -1 if there is none. */
  find(hash: number, name: string): number {
    const { slots } = this.#partOf(hash)
    const mask = slots.length - 2
    for (let at = placeOf(hash, mask); ; at = (at + 2) & mask) {
      const slot = slots[at]!
      if (slot === 0) return -1
      if (slots[at + 1] === hash && this.#nameOf(slot - 1) === name) return slot - 1
    }
  }

  /** A part whose hashes are all equal cannot be divided. */
  #mayDivide({ bits }: Part): boolean {
    return partMax << bits < this.#count * 16
  }

  #partOf(hash: number): Part {
    return this.#parts[hash & (this.#parts.length - 1)]!
  }

  #divide({ bits, slots }: Part, hash: number): void {
    if (1 << bits === this.#parts.length) this.#parts = [...this.#parts, ...this.#parts]
    const own = partOf(bits + 1, slots.length)
    const other = partOf(bits + 1, slots.length)
    for (let at = 0; at < slots.length; at += 2) {
      const slot = slots[at]!
      if (slot === 0) continue
      const to = ((slots[at + 1]! >>> bits) & 1) === 0 ? own : other
      to.count++
      put(to.slots, slots[at + 1]!, slot)
    }
    for (let i = hash & ((1 << bits) - 1); i < this.#parts.length; i += 1 << bits) {
      this.#parts[i] = ((i >>> bits) & 1) === 0 ? own : other
    }
  }
}

const partOf = (bits: number, slots: number): Part => ({ bits, count: 0, slots: new Int32Array(slots) })

/**
 * The slot where the search for a hash begins: an even number up to the mask. It does not use the last bits, which are
 * the same within a part.
 */
const placeOf = (hash: number, mask: number): number => (Math.imul(hash, 0x9e3779b1) >>> 15) & mask

function put(slots: Int32Array, hash: number, slot: number): void {
  const mask = slots.length - 2
  let at = placeOf(hash, mask)
  while (slots[at] !== 0) at = (at + 2) & mask
  slots[at] = slot
  slots[at + 1] = hash
}

function larger(slots: Int32Array): Int32Array {
  const copy = new Int32Array(slots.length * 2)
  for (let at = 0; at < slots.length; at += 2) if (slots[at] !== 0) put(copy, slots[at + 1]!, slots[at]!)
  return copy
}
