/**
 * A number that tells the data of one command from that of another, so that an id that is used for two commands is noticed. It is
 * computed from what the caller gave, before any schema has filled in a default. Data that is the same JSON has the same number: the
 * order of keys does not matter, a date is its text, what is `undefined` is not there.
 *
 * Two lanes of 32 bits are mixed as in cyrb53; that two given commands with one id meet by chance has odds of 1 in 10^15. It
 * guards against mistakes, not against a caller who looks for two inputs with one number: both would be that caller's own commands.
 */
import { depthMax } from '../domain/json.ts'

const kinds = { nothing: 1, boolean: 2, number: 3, text: 4, list: 5, record: 6, entries: 7, other: 8 } as const

/** Of any value; below 2^53. It never throws: what cannot be read counts as nothing. */
export function digestOf(value: unknown): number {
  const lanes = new Lanes()
  try {
    add(lanes, value, 0)
  } catch {
    // A getter or a proxy of the caller's has thrown; the schema will say what is wrong with it.
    lanes.mix(kinds.nothing)
  }
  return lanes.number()
}

class Lanes {
  #a = 0xdeadbeef
  #b = 0x41c6ce57

  mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x9e3779b1)
    this.#b = Math.imul(this.#b ^ value, 0x5f356495)
    this.#a ^= this.#a >>> 15
    this.#b ^= this.#b >>> 13
  }

  text(text: string): void {
    this.mix(kinds.text)
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i))
    this.mix(text.length)
  }

  /** Adds what others have come to, whatever their order. */
  join(parts: readonly Lanes[]): void {
    let a = 0
    let b = 0
    for (const part of parts) {
      a = (a + part.#a) | 0
      b = (b + part.#b) | 0
    }
    this.mix(a)
    this.mix(b)
  }

  number(): number {
    this.mix(0)
    return (this.#a >>> 0) + (this.#b & 0x1fffff) * 2 ** 32
  }
}

function add(lanes: Lanes, value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string':
      lanes.text(value)
      break
    case 'number':
      addNumber(lanes, value)
      break
    case 'boolean':
      lanes.mix(kinds.boolean)
      lanes.mix(value ? 1 : 0)
      break
    case 'object':
      if (value === null || depth >= depthMax) lanes.mix(kinds.nothing)
      else addObject(lanes, value, depth + 1)
      break
    case 'undefined':
      lanes.mix(kinds.nothing)
      break
    default:
      lanes.mix(kinds.other)
      lanes.text(String(value))
  }
}

function addNumber(lanes: Lanes, value: number): void {
  lanes.mix(kinds.number)
  if ((value | 0) === value) lanes.mix(value)
  else lanes.text(String(value))
}

function addObject(lanes: Lanes, value: object, depth: number): void {
  const { toJSON } = value as { readonly toJSON?: unknown }
  if (Array.isArray(value)) {
    lanes.mix(kinds.list)
    for (let i = 0; i < value.length; i++) add(lanes, value[i], depth)
    lanes.mix(value.length)
  } else if (typeof toJSON === 'function') {
    add(lanes, toJSON.call(value), depth)
  } else if (value instanceof Map || value instanceof Set) {
    lanes.mix(kinds.entries)
    for (const entry of value) add(lanes, entry, depth)
    lanes.mix(value.size)
  } else {
    addRecord(lanes, value as Readonly<Record<string, unknown>>, depth)
  }
}

function addRecord(lanes: Lanes, record: Readonly<Record<string, unknown>>, depth: number): void {
  lanes.mix(kinds.record)
  const parts: Lanes[] = []
  for (const key of Object.keys(record)) {
    const item = record[key]
    if (item === undefined) continue
    const part = new Lanes()
    part.text(key)
    add(part, item, depth)
    parts.push(part)
  }
  lanes.join(parts)
}
