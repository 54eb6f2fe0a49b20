/**
 * Random ids: UUIDs of version 4 (RFC 9562). The platform's `crypto.randomUUID` puts each together from twenty pieces, which the engine
 * joins when the id is first looked at; with its garbage that is a large part of what a command costs. These are made in one piece.
 */

const bytesEach = 16
const bytes = new Uint8Array(512 * bytesEach)
let used = bytes.length

const digits = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
const high = Uint8Array.from({ length: 256 }, (_, byte) => digits[byte >> 4]!)
const low = Uint8Array.from({ length: 256 }, (_, byte) => digits[byte & 15]!)
/** The characters of the id that is made, with its dashes in their places. */
const codes: number[] = Array.from('00000000-0000-0000-0000-000000000000', (character) => character.charCodeAt(0))

/** A UUID of 122 random bits that nobody can guess. */
export function randomId(): string {
  if (used === bytes.length) {
    crypto.getRandomValues(bytes)
    used = 0
  }
  bytes[used + 6] = (bytes[used + 6]! & 0x0f) | 0x40
  bytes[used + 8] = (bytes[used + 8]! & 0x3f) | 0x80
  for (let place = 0; place < codes.length; place++) {
    if (place === 8 || place === 13 || place === 18 || place === 23) place++
    const byte = bytes[used++]!
    codes[place++] = high[byte]!
    codes[place] = low[byte]!
  }
  return String.fromCharCode(...codes)
}
