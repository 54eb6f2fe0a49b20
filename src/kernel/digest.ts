/**
 * A number for the data of a command. It shows when one id is used for two commands with different data. It is computed
 * from what the caller gave, before the schema fills in defaults, so it stays the same when a new version of the
 * program adds an optional field. Data that is the same JSON has the same number: the order of keys does not matter, a
 * date is its text, -0 is 0, and a key whose value is `undefined` is absent. Data that is left out counts as the data
 * that replaces it (`leftOutData`).
 *
 * Two lanes of 32 bits are mixed as in cyrb53. Two different commands have the same number with odds of 1 in 10^15. The
 * number guards against mistakes, not against a caller who searches for a collision: both commands would be that
 * caller's own. Every command passes here, so the lanes are two variables of this module, and nothing is allocated.
 */
import { depthMax, isPlain, sizeOfScalar } from '../domain/json.ts'
import { branchOf, type FieldTree } from '../domain/personal-fields.ts'

const kinds = {
  nothing: 1,
  boolean: 2,
  number: 3,
  text: 4,
  list: 5,
  record: 6,
  entries: 7,
  other: 8,
  bytes: 9,
} as const
const firstA = 0xdeadbeef | 0
const firstB = 0x41c6ce57
const factorA = 0x9e3779b1
const factorB = 0x5f356495

const hasOwn = Object.prototype.hasOwnProperty

let a = firstA
let b = firstB
/** The approximate number of characters of JSON so far, counted as for a commit (`JsonCopier`). */
let size = 0
let sizeMax = Number.POSITIVE_INFINITY
/** Whether some data was nested too deep. */
let isDeep = false

/** The digest of any value, below 2^53. Never throws: a value that cannot be read counts as nothing. */
export function digestOf(value: unknown): number {
  return digestWithin(value, Number.POSITIVE_INFINITY) as number
}

/**
 * The same for a value that may be too large. It stops as soon as the limit is reached.
 *
 * @param charactersMax the approximate limit, in characters of JSON; each byte of binary data counts as one
 * @param without fields that count for the size, but not for the digest; a value without fields has none then
 * @returns `large` if the value is larger, `endless` if it is larger and nested too deep
 */
export function digestWithin(value: unknown, charactersMax: number, without?: FieldTree): number | 'large' | 'endless' {
  a = firstA
  b = firstB
  size = 0
  sizeMax = charactersMax
  isDeep = false
  try {
    add(value, 0, without)
  } catch {
    if (size > charactersMax) return isDeep ? 'endless' : 'large'
    // A getter or a proxy of the caller threw. The schema will say what is wrong with it.
    mix(kinds.nothing)
  }
  mix(0)
  return (a >>> 0) + (b & 0x1fffff) * 2 ** 32
}

/** Counts the characters that come next. @throws RangeError if that is too much */
function count(characters: number): void {
  size += characters
  if (size > sizeMax) throw new RangeError(`more than ${sizeMax} characters of JSON`)
}

function mix(value: number): void {
  a = Math.imul(a ^ value, factorA)
  b = Math.imul(b ^ value, factorB)
  a ^= a >>> 15
  b ^= b >>> 13
}

function addText(text: string): void {
  mix(kinds.text)
  // `mix`, written out: variables of the function are faster than those of the module.
  let nextA = a
  let nextB = b
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    nextA = Math.imul(nextA ^ code, factorA)
    nextB = Math.imul(nextB ^ code, factorB)
    nextA ^= nextA >>> 15
    nextB ^= nextB >>> 13
  }
  a = nextA
  b = nextB
  mix(text.length)
}

function add(value: unknown, depth: number, without?: FieldTree): void {
  switch (typeof value) {
    case 'string':
      count(value.length + 2)
      addText(value)
      break
    case 'number':
      count(sizeOfScalar)
      mix(kinds.number)
      if ((value | 0) === value) mix(value)
      else addText(String(value))
      break
    case 'boolean':
      count(sizeOfScalar)
      mix(kinds.boolean)
      mix(value ? 1 : 0)
      break
    case 'object':
      isDeep ||= depth >= depthMax
      if (value === null || depth >= depthMax) addNothing()
      else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) addBytes(value)
      else addObject(value, depth + 1, without)
      break
    case 'undefined':
      addNothing()
      break
    default:
      mix(kinds.other)
      addCounted(String(value))
  }
}

function addNothing(): void {
  count(sizeOfScalar)
  mix(kinds.nothing)
}

function addCounted(text: string): void {
  count(text.length + 2)
  addText(text)
}

/** Bytes are not JSON. Each counts as one character. They are mixed four at a time. */
function addBytes(given: ArrayBufferView | ArrayBuffer): void {
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(given) ? given : new Uint8Array(given)
  count(byteLength)
  mix(kinds.bytes)
  // The type counts too: a Uint16Array differs from a Uint8Array with the same bytes.
  addText(Object.prototype.toString.call(given))
  const bytes = new DataView(buffer, byteOffset, byteLength)
  let at = 0
  for (; at + 4 <= byteLength; at += 4) mix(bytes.getInt32(at, true))
  for (; at < byteLength; at++) mix(bytes.getUint8(at))
  mix(byteLength)
}

function addObject(value: object, depth: number, without: FieldTree | undefined): void {
  const { toJSON } = value as { readonly toJSON?: unknown }
  // Most values are plain records. The other checks would cost more than mixing one.
  if (toJSON === undefined && Object.getPrototypeOf(value) === Object.prototype) {
    addRecord(value as Readonly<Record<string, unknown>>, depth, without)
  } else if (Array.isArray(value)) {
    count(2)
    mix(kinds.list)
    for (let i = 0; i < value.length; i++) add(value[i], depth, without)
    mix(value.length)
  } else if (typeof toJSON === 'function') {
    add(toJSON.call(value), depth, without)
  } else if (value instanceof Map || value instanceof Set) {
    count(2)
    mix(kinds.entries)
    for (const entry of value) add(entry, depth)
    mix(value.size)
  } else {
    // A regular expression or a boxed number keeps its value in private, so its text counts too.
    if (!isPlain(value)) addCounted(String(value))
    addRecord(value as Readonly<Record<string, unknown>>, depth, without)
  }
}

/** Each property is mixed alone, and the results are added, so the order of keys does not matter. */
function addRecord(record: Readonly<Record<string, unknown>>, depth: number, without: FieldTree | undefined): void {
  count(2)
  mix(kinds.record)
  const beforeA = a
  const beforeB = b
  let sumA = 0
  let sumB = 0
  // Without the list of keys that `Object.keys` makes.
  for (const key in record) {
    if (!hasOwn.call(record, key)) continue
    const item = record[key]
    if (item === undefined) continue
    a = firstA
    b = firstB
    count(key.length + 3)
    const branch = without === undefined ? undefined : branchOf(without, key)
    if (branch !== undefined && branch.within === undefined) {
      add(item, depth)
      continue
    }
    addText(key)
    add(item, depth, branch?.within)
    sumA = (sumA + a) | 0
    sumB = (sumB + b) | 0
  }
  a = beforeA
  b = beforeB
  mix(sumA)
  mix(sumB)
}
