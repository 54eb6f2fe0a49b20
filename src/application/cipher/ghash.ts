/**
 * GHASH, from which AES-GCM makes its tags (NIST SP 800-38D, 6.4): a polynomial in GF(2^128) over the blocks of a
 * message, at a secret point.
 *
 * There is no table, and no branch that depends on the data, so the time that it takes says nothing about the secret. A
 * product of two words without carries is made of products of integers whose bits have gaps of three, so that no carry
 * reaches the next bit. Its upper half, which `Math.imul` does not give, is the product of the reversed words,
 * reversed. The method is that of `ghash_ctmul32` in BearSSL, whose text derives it.
 */

/** The word of 32 bits that begins at a byte. */
const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

const { imul } = Math

/** The lower half of a product of two words without carries. */
function lower(x: number, y: number): number {
  const x0 = x & 0x11111111
  const x1 = x & 0x22222222
  const x2 = x & 0x44444444
  const x3 = x & 0x88888888
  const y0 = y & 0x11111111
  const y1 = y & 0x22222222
  const y2 = y & 0x44444444
  const y3 = y & 0x88888888
  return (
    ((imul(x0, y0) ^ imul(x1, y3) ^ imul(x2, y2) ^ imul(x3, y1)) & 0x11111111) |
    ((imul(x0, y1) ^ imul(x1, y0) ^ imul(x2, y3) ^ imul(x3, y2)) & 0x22222222) |
    ((imul(x0, y2) ^ imul(x1, y1) ^ imul(x2, y0) ^ imul(x3, y3)) & 0x44444444) |
    ((imul(x0, y3) ^ imul(x1, y2) ^ imul(x2, y1) ^ imul(x3, y0)) & 0x88888888)
  )
}

/** A word with its bits in the opposite order. */
function reversed(word: number): number {
  let x = ((word & 0x55555555) << 1) | ((word >>> 1) & 0x55555555)
  x = ((x & 0x33333333) << 2) | ((x >>> 2) & 0x33333333)
  x = ((x & 0x0f0f0f0f) << 4) | ((x >>> 4) & 0x0f0f0f0f)
  x = ((x & 0x00ff00ff) << 8) | ((x >>> 8) & 0x00ff00ff)
  return (x << 16) | (x >>> 16)
}

/** The upper half of a product, from the lower half of that of the reversed words. */
const upper = (product: number): number => reversed(product) >>> 1

/** The secret point of a key, with what is computed from it only once. */
export class HashKey {
  readonly #h: Int32Array

  /** @param bytes a block of zeros, encrypted with the key */
  constructor(bytes: Uint8Array) {
    const words = [12, 8, 4, 0].map((at) => wordAt(bytes, at))
    this.#h = Int32Array.from([...sums(words), ...sums(words.map(reversed))])
  }

  /**
   * The hash of a message without additional data.
   *
   * @param bytes has the message, and after it zeros up to a whole block
   * @param hash gets the result, as four words
   */
  hash(bytes: Uint8Array, from: number, length: number, hash: Int32Array): void {
    hash.fill(0)
    for (let at = from; at < from + length; at += 16) {
      hash[0]! ^= wordAt(bytes, at)
      hash[1]! ^= wordAt(bytes, at + 4)
      hash[2]! ^= wordAt(bytes, at + 8)
      hash[3]! ^= wordAt(bytes, at + 12)
      this.#multiply(hash)
    }
    // The lengths in bits: that of the additional data is 0.
    hash[2]! ^= length >>> 29
    hash[3]! ^= length << 3
    this.#multiply(hash)
  }

  /** Multiplies with the point. By Karatsuba that takes nine products of words, for each half. */
  #multiply(hash: Int32Array): void {
    const h = this.#h
    const x0 = hash[3]!
    const x1 = hash[2]!
    const x2 = hash[1]!
    const x3 = hash[0]!
    const l0 = lower(x0, h[0]!)
    const l1 = lower(x1, h[1]!)
    const l2 = lower(x2, h[2]!)
    const l3 = lower(x3, h[3]!)
    const l02 = lower(x0 ^ x2, h[6]!)
    const l13 = lower(x1 ^ x3, h[7]!)
    const l01 = lower(x0 ^ x1, h[4]!) ^ l0 ^ l1
    const l23 = lower(x2 ^ x3, h[5]!) ^ l2 ^ l3
    const l = lower(x0 ^ x1 ^ x2 ^ x3, h[8]!) ^ l02 ^ l13
    const r0 = reversed(x0)
    const r1 = reversed(x1)
    const r2 = reversed(x2)
    const r3 = reversed(x3)
    const u0 = lower(r0, h[9]!)
    const u1 = lower(r1, h[10]!)
    const u2 = lower(r2, h[11]!)
    const u3 = lower(r3, h[12]!)
    const u02 = lower(r0 ^ r2, h[15]!)
    const u13 = lower(r1 ^ r3, h[16]!)
    const u01 = lower(r0 ^ r1, h[13]!) ^ u0 ^ u1
    const u23 = lower(r2 ^ r3, h[14]!) ^ u2 ^ u3
    const u = lower(r0 ^ r1 ^ r2 ^ r3, h[17]!) ^ u02 ^ u13
    reduce(
      hash,
      l0,
      l01 ^ upper(u0),
      l0 ^ l1 ^ l2 ^ l02 ^ upper(u01),
      l01 ^ l23 ^ l ^ upper(u0 ^ u1 ^ u2 ^ u02),
      l1 ^ l2 ^ l3 ^ l13 ^ upper(u01 ^ u23 ^ u),
      l23 ^ upper(u1 ^ u2 ^ u3 ^ u13),
      l3 ^ upper(u23),
      upper(u3),
    )
  }
}

/** Four words, the last one first, and the sums of them that Karatsuba multiplies. */
function sums(words: readonly number[]): readonly number[] {
  const [a, b, c, d] = words as [number, number, number, number]
  return [a, b, c, d, a ^ b, c ^ d, a ^ c, b ^ d, a ^ b ^ c ^ d]
}

/** Reduces a product of eight words, the last one first, by x^128 + x^7 + x^2 + x + 1. */
function reduce(
  hash: Int32Array,
  p0: number,
  p1: number,
  p2: number,
  p3: number,
  p4: number,
  p5: number,
  p6: number,
  p7: number,
): void {
  // GCM numbers bits from the other end, so the product is shifted by one.
  const z0 = p0 << 1
  const z1 = (p1 << 1) | (p0 >>> 31)
  const z2 = (p2 << 1) | (p1 >>> 31)
  const z3 = ((p3 << 1) | (p2 >>> 31)) ^ carried(z0)
  hash[3] = ((p4 << 1) | (p3 >>> 31)) ^ folded(z0) ^ carried(z1)
  hash[2] = ((p5 << 1) | (p4 >>> 31)) ^ folded(z1) ^ carried(z2)
  hash[1] = ((p6 << 1) | (p5 >>> 31)) ^ folded(z2) ^ carried(z3)
  hash[0] = ((p7 << 1) | (p6 >>> 31)) ^ folded(z3)
}

/** A word of the lower half, times the terms of the polynomial: what falls into the word four above. */
const folded = (z: number): number => z ^ (z >>> 1) ^ (z >>> 2) ^ (z >>> 7)
/** What falls into the word three above. */
const carried = (z: number): number => (z << 31) ^ (z << 30) ^ (z << 25)
