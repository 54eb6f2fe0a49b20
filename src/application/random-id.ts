/**
 * Random ids that nobody can guess: UUIDs of version 4 (RFC 9562), and shorter ones for commands. The platform's `crypto.randomUUID` puts each
 * together from twenty pieces, which the engine joins when the id is first looked at; with its garbage that is a large part of what a command
 * costs. These are made in one piece.
 */

const bytesEach = 16
const bytes = new Uint8Array(4096 * bytesEach)
let used = bytes.length

const codesOf = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0))
const digits = codesOf('0123456789abcdef')
const high = Uint8Array.from({ length: 256 }, (_, byte) => digits[byte >> 4]!)
const low = Uint8Array.from({ length: 256 }, (_, byte) => digits[byte & 15]!)
/** The characters of the id that is made, with its dashes in their places. */
const codes: number[] = codesOf('00000000-0000-0000-0000-000000000000')
const urlSafe = codesOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
/** By a byte of which six bits count. */
const letter = Uint8Array.from({ length: 256 }, (_, byte) => urlSafe[byte & 63]!)

/** Where random bytes for one id begin. */
function draw(): number {
  if (used === bytes.length) {
    crypto.getRandomValues(bytes)
    used = 0
  }
  const start = used
  used += bytesEach
  return start
}

/** A UUID of 122 random bits. */
export function randomId(): string {
  let next = draw()
  bytes[next + 6] = (bytes[next + 6]! & 0x0f) | 0x40
  bytes[next + 8] = (bytes[next + 8]! & 0x3f) | 0x80
  for (let place = 0; place < codes.length; place++) {
    if (place === 8 || place === 13 || place === 18 || place === 23) place++
    const byte = bytes[next++]!
    codes[place++] = high[byte]!
    codes[place] = low[byte]!
  }
  return String.fromCharCode(...codes)
}

/** A command's id: `~` and 22 characters of base64 for URLs, from 128 random bits. */
export function randomCommandId(): string {
  const i = draw()
  const b = bytes
  // Three bytes make four characters. Written out, since the engine makes the text at once of arguments, but not of a list.
  return String.fromCharCode(
    0x7e,
    letter[b[i]! >> 2]!,
    letter[((b[i]! << 4) | (b[i + 1]! >> 4)) & 63]!,
    letter[((b[i + 1]! << 2) | (b[i + 2]! >> 6)) & 63]!,
    letter[b[i + 2]!]!,
    letter[b[i + 3]! >> 2]!,
    letter[((b[i + 3]! << 4) | (b[i + 4]! >> 4)) & 63]!,
    letter[((b[i + 4]! << 2) | (b[i + 5]! >> 6)) & 63]!,
    letter[b[i + 5]!]!,
    letter[b[i + 6]! >> 2]!,
    letter[((b[i + 6]! << 4) | (b[i + 7]! >> 4)) & 63]!,
    letter[((b[i + 7]! << 2) | (b[i + 8]! >> 6)) & 63]!,
    letter[b[i + 8]!]!,
    letter[b[i + 9]! >> 2]!,
    letter[((b[i + 9]! << 4) | (b[i + 10]! >> 4)) & 63]!,
    letter[((b[i + 10]! << 2) | (b[i + 11]! >> 6)) & 63]!,
    letter[b[i + 11]!]!,
    letter[b[i + 12]! >> 2]!,
    letter[((b[i + 12]! << 4) | (b[i + 13]! >> 4)) & 63]!,
    letter[((b[i + 13]! << 2) | (b[i + 14]! >> 6)) & 63]!,
    letter[b[i + 14]!]!,
    letter[b[i + 15]! >> 2]!,
    letter[(b[i + 15]! << 4) & 63]!,
  )
}
