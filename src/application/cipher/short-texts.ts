/**
 * AES-256-GCM for short texts (NIST SP 800-38D), with nonces of 96 bits and tags of 128.
 *
 * The platform makes new objects for each encryption. They cost several times as much as encrypting a short text, and
 * collecting them costs as much again. Here one object encrypts blocks with AES as long as its key is used, and those
 * for some texts in advance. What makes GCM of it is added: counters, an exclusive or, and GHASH. The result is what
 * the platform makes, which also opens it.
 */
import { HashKey } from './ghash.ts'

/** Encrypts whole blocks of 16 bytes, each by itself. */
export interface BlockCipher {
  update(blocks: Uint8Array): Uint8Array
}

export const nonceBytes = 12
export const tagBytes = 16
const blockBytes = 16

/** How long a text may be, in bytes. For longer ones the platform's own GCM costs less. */
export const textBytesMax = 256
/**
 * For how many texts blocks are encrypted at once. It begins with one, since most keys are used once in a long time.
 */
const preparedMax = 8

const counters = new Uint8Array((textBytesMax + blockBytes) * preparedMax)
const hash = new Int32Array(4)
const noBytes: Uint8Array = new Uint8Array()

/** A key that is ready to encrypt many short texts. */
export class ShortTexts {
  readonly #aes: BlockCipher
  readonly #random: (length: number) => Uint8Array
  readonly #hashKey: HashKey
  /**
   * The nonces of the next texts, and for each the same number of encrypted blocks: one for the tag, then the text's.
   */
  #nonces = noBytes
  #stream = noBytes
  #blocks = 0
  #prepared = 0
  #used = 0

  /** @param random makes bytes that cannot be guessed */
  constructor(aes: BlockCipher, random: (length: number) => Uint8Array) {
    this.#aes = aes
    this.#random = random
    this.#hashKey = new HashKey(aes.update(new Uint8Array(blockBytes)))
  }

  /**
   * Encrypts a text in its place.
   *
   * @param bytes gets a nonce; has the text behind it; gets the tag behind that
   * @param length that of the text, at most `textBytesMax`
   */
  seal(bytes: Uint8Array, length: number): void {
    const blocks = 1 + Math.ceil(length / blockBytes)
    if (this.#used === this.#prepared || blocks > this.#blocks) this.#prepare(blocks)
    const stream = this.#stream
    const nonceAt = this.#used * nonceBytes
    const tagAt = this.#used * this.#blocks * blockBytes
    this.#used++
    for (let i = 0; i < nonceBytes; i++) bytes[i] = this.#nonces[nonceAt + i]!
    const end = nonceBytes + length
    // What has encrypted a text could decrypt it, so it does not stay in memory.
    for (let i = nonceBytes, from = tagAt + blockBytes; i < end; i++, from++) {
      bytes[i]! ^= stream[from]!
      stream[from] = 0
    }
    // The tag comes here. Until then, zeros fill up the last block.
    for (let i = 0; i < tagBytes; i++) bytes[end + i] = 0
    this.#hashKey.hash(bytes, nonceBytes, length, hash)
    for (let i = 0; i < tagBytes; i++) bytes[end + i] = (hash[i >> 2]! >>> (24 - (i & 3) * 8)) ^ stream[tagAt + i]!
  }

  /** Encrypts the counters of the next texts. */
  #prepare(blocks: number): void {
    const count = Math.min(preparedMax, this.#prepared * 2 || 1)
    const nonces = this.#random(count * nonceBytes)
    let at = 0
    for (let nonceAt = 0; nonceAt < nonces.length; nonceAt += nonceBytes) {
      for (let counter = 1; counter <= blocks; counter++) {
        for (let i = 0; i < nonceBytes; i++) counters[at++] = nonces[nonceAt + i]!
        at += 2
        counters[at++] = counter >>> 8
        counters[at++] = counter
      }
    }
    this.#nonces = nonces
    this.#stream = this.#aes.update(counters.subarray(0, at))
    this.#blocks = blocks
    this.#prepared = count
    this.#used = 0
  }
}
