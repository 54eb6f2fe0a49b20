/**
 * A list of millions of numbers that only grows, in blocks of fixed size. Growing copies existing values only until the
 * first block has that size, so that a short log needs little memory. The garbage collector does not look into it. A
 * prefix may be written to disk while more is added. No value is ever removed.
 */

type Block = Float64Array | Uint32Array | Uint16Array

/** The values of one block. */
const blockLength = 65_536
const shift = 16
const mask = blockLength - 1
const firstLength = 64

export class Column {
  readonly #make: (length: number) => Block
  /** The bytes of one value. */
  readonly bytesEach: number
  readonly #blocks: Block[] = []
  #length = 0
  /** How many values there is room for. */
  #room = 0

  constructor(kind: 'float64' | 'uint32' | 'uint16') {
    const Values = { float64: Float64Array, uint32: Uint32Array, uint16: Uint16Array }[kind]
    this.#make = (length) => new Values(length)
    this.bytesEach = Values.BYTES_PER_ELEMENT
  }

  get length(): number {
    return this.#length
  }

  get(index: number): number {
    return this.#blocks[index >>> shift]![index & mask]!
  }

  set(index: number, value: number): void {
    this.#blocks[index >>> shift]![index & mask] = value
  }

  push(value: number): void {
    const index = this.#length++
    if (index === this.#room) this.#grow(index + 1)
    this.#blocks[index >>> shift]![index & mask] = value
  }

  /** Makes room for values that are then set, or read into `bytesOf`. */
  extend(length: number): void {
    this.#length = length
    this.#grow(length)
  }

  #grow(length: number): void {
    if (this.#room < length && this.#room < blockLength) {
      let first = Math.max(this.#room, firstLength)
      while (first < Math.min(length, blockLength)) first *= 2
      const block = this.#make(first)
      if (this.#room > 0) block.set(this.#blocks[0]!)
      this.#blocks[0] = block
      this.#room = first
    }
    while (this.#room < length) {
      this.#blocks.push(this.#make(blockLength))
      this.#room += blockLength
    }
  }

  /** The memory of the first values, block by block. */
  *bytesOf(length: number): Iterable<Uint8Array> {
    for (let start = 0; start < length; start += blockLength) {
      const block = this.#blocks[start >>> shift]!
      const count = Math.min(blockLength, length - start)
      yield new Uint8Array(block.buffer, 0, count * block.BYTES_PER_ELEMENT)
    }
  }

  /** The last index below `end` whose value is at most the given one, in an ascending column; -1 if there is none. */
  lastAtMost(value: number, end: number): number {
    let low = 0
    let high = end
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.get(middle) <= value) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}
