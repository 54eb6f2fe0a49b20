/**
 * A number for each of many texts, in little memory: about 25 bytes for each, however long the texts are. Only a number
 * made from the text is kept, so two texts may very rarely count as one. The caller looks at the store before it says
 * that something is wrong.
 */
import type { StreamId } from '../../../src/index.ts'

const slotsMin = 1024
/** The table grows when it is fuller than this. */
const loadMax = 0.6

export class TextNumbers {
  /** 0 for an empty slot. */
  #keys = new Float64Array(slotsMin)
  #numbers = new Float64Array(slotsMin)
  #size = 0

  /** How many texts there are. */
  get size(): number {
    return this.#size
  }

  /** Sets the number of a text. @returns the one before; 0 if there was none */
  replace(text: string, number: number): number {
    if (this.#size >= this.#keys.length * loadMax) this.#grow()
    const key = hashOf(text)
    const slot = this.#slotOf(key)
    const before = this.#keys[slot] === 0 ? 0 : this.#numbers[slot]!
    if (this.#keys[slot] === 0) this.#size++
    this.#keys[slot] = key
    this.#numbers[slot] = number
    return before
  }

  #slotOf(key: number): number {
    const { length } = this.#keys
    for (let slot = key % length; ; slot = (slot + 1) % length) {
      if (this.#keys[slot] === 0 || this.#keys[slot] === key) return slot
    }
  }

  #grow(): void {
    const [keys, numbers] = [this.#keys, this.#numbers]
    this.#keys = new Float64Array(keys.length * 2)
    this.#numbers = new Float64Array(keys.length * 2)
    for (const [i, key] of keys.entries()) {
      if (key === 0) continue
      const slot = this.#slotOf(key)
      this.#keys[slot] = key
      this.#numbers[slot] = numbers[i]!
    }
  }
}

/** A stream as a text that no other stream has. */
export const streamKey = ({ aggregate, id }: StreamId): string => `${aggregate.length} ${aggregate}${id}`

/** A number from 1 below 2^53, from two hashes of 32 bits (cyrb53). */
function hashOf(text: string): number {
  let [a, b] = [0xdeadbeef, 0x41c6ce57]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0) || 1
}
