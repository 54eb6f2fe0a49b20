/**
 * The bytes of a file in memory. They are changed in place, so a write costs what it writes, however long the file is.
 */

const capacityMin = 4096

export class FileBytes {
  /** Bytes after the end of the file are 0. */
  #buffer = Buffer.alloc(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What the file holds. It shows later changes too, until the file grows. */
  get view(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** @returns how many bytes there were */
  read(into: Uint8Array, at: number): number {
    return at >= this.#length ? 0 : this.#buffer.copy(into, 0, at, Math.min(at + into.length, this.#length))
  }

  /** The file grows if that is needed, and what is between its end and the bytes is 0. */
  write(bytes: Uint8Array, at: number): void {
    if (at + bytes.length > this.#length) this.resize(at + bytes.length)
    this.#buffer.set(bytes, at)
  }

  resize(length: number): void {
    if (length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(length, 2 * this.#buffer.length, capacityMin))
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    } else if (length < this.#length) this.#buffer.fill(0, length, this.#length)
    this.#length = length
  }

  /** Becomes the same as another file. */
  become(other: FileBytes): void {
    this.resize(0)
    this.write(other.view, 0)
  }
}
