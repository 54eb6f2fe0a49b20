/**
 * Random ids that nobody can guess: UUIDs of version 4 (RFC 9562), and shorter ones for commands. The platform's
 * `crypto.randomUUID` puts each together from twenty pieces, which the engine joins when the id is first looked at;
 * with its garbage that is a large part of what a command costs. These are made in one piece.
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
/** What stands for six bits: letters and digits in the order that texts are sorted in. */
const letters = codesOf('-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz')
/** By a byte of which six bits count. */
const letter = Uint8Array.from({ length: 256 }, (_, byte) => letters[byte & 63]!)
/** The moment that the last command's id begins with, in milliseconds since 1970, and its characters. */
let momentMs = Number.NaN
const moment = new Uint8Array(7)

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

/**
 * A command's id: `~`, the present time in 7 characters, and 15 random ones, which are 90 bits. Ids that are made one
 * after the other are sorted one after the other (as UUIDs of version 7 are, RFC 9562): a database adds them at the end
 * of its index, where random ones would change a page of it each.
 */
export function randomCommandId(): string {
  const now = Date.now()
  if (now !== momentMs) writeMoment(now)
  const i = draw()
  const b = bytes
  const m = moment
  // Written out, since the engine makes the text at once of arguments, but not of a list.
  return String.fromCharCode(
    0x7e,
    m[0]!,
    m[1]!,
    m[2]!,
    m[3]!,
    m[4]!,
    m[5]!,
    m[6]!,
    letter[b[i]!]!,
    letter[b[i + 1]!]!,
    letter[b[i + 2]!]!,
    letter[b[i + 3]!]!,
    letter[b[i + 4]!]!,
    letter[b[i + 5]!]!,
    letter[b[i + 6]!]!,
    letter[b[i + 7]!]!,
    letter[b[i + 8]!]!,
    letter[b[i + 9]!]!,
    letter[b[i + 10]!]!,
    letter[b[i + 11]!]!,
    letter[b[i + 12]!]!,
    letter[b[i + 13]!]!,
    letter[b[i + 14]!]!,
  )
}

function writeMoment(nowMs: number): void {
  momentMs = nowMs
  let rest = nowMs
  for (let place = moment.length - 1; place >= 0; place--) {
    // Six bits of whatever a faked clock gives: a part of a millisecond, a time before 1970, none at all.
    moment[place] = letters[rest & 63]!
    rest = Math.floor(rest / 64)
  }
}
