/**
 * Random ids that cannot be guessed: UUIDs of version 4 (RFC 9562), and shorter ones for commands. The platform's
 * `crypto.randomUUID` builds each from twenty pieces, which the engine joins when the id is first used. With the
 * garbage, that is a large part of the cost of a command. Here each id is made in one piece.
 */
import { soon } from '../runtime/timers.ts'

const bytesEach = 16
const bytes = new Uint8Array(4096 * bytesEach)
let used = bytes.length

const codesOf = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0))
const digits = codesOf('0123456789abcdef')
const high = Uint8Array.from({ length: 256 }, (_, byte) => digits[byte >> 4]!)
const low = Uint8Array.from({ length: 256 }, (_, byte) => digits[byte & 15]!)
/** The character codes of the id that is being made, with the dashes in place. */
const codes: number[] = codesOf('00000000-0000-0000-0000-000000000000')
/** The characters for six bits, in the order in which strings are sorted. */
const letters = codesOf('-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz')
/** The character for a byte, of which six bits count. */
const letter = Uint8Array.from({ length: 256 }, (_, byte) => letters[byte & 63]!)
/** The time at the beginning of the last command id, in milliseconds since 1970, and its characters. */
let momentMs = Number.NaN
const moment = new Uint8Array(7)
/** Counts the ids with that time. */
let count = 0
/** Whether the clock was read since the microtask queue last got so far. Reading it takes most of the time of an id. */
let isMomentRead = false
const readAgain = (): void => {
  isMomentRead = false
}

/** Reserves random bytes for one id. @returns where they begin */
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
 * The id of a command: `~`, the time in 7 characters, a count in 3, and 12 random characters with 72 bits. Later ids of
 * a process are sorted after earlier ones, as with UUIDs of version 7 (RFC 9562), up to 262,144 in a millisecond. A
 * database therefore adds them at the end of its index. Each random id would change a different page of it.
 */
export function randomCommandId(): string {
  if (!isMomentRead) readMoment()
  const n = count++
  const i = draw()
  const b = bytes
  const m = moment
  // Written out, because the engine is fast with separate arguments, but not with a list.
  return String.fromCharCode(
    0x7e,
    m[0]!,
    m[1]!,
    m[2]!,
    m[3]!,
    m[4]!,
    m[5]!,
    m[6]!,
    letters[(n >> 12) & 63]!,
    letters[(n >> 6) & 63]!,
    letters[n & 63]!,
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

function readMoment(): void {
  isMomentRead = true
  soon(readAgain)
  const now = Date.now()
  if (now !== momentMs) writeMoment(now)
}

function writeMoment(nowMs: number): void {
  momentMs = nowMs
  count = 0
  let rest = nowMs
  for (let place = moment.length - 1; place >= 0; place--) {
    // A faked clock may give a fraction, a time before 1970, or NaN. Six bits of it are always a valid character.
    moment[place] = letters[rest & 63]!
    rest = Math.floor(rest / 64)
  }
}
