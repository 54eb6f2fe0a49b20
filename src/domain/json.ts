/**
 * Turns values into JSON for the log: checked, copied once, and frozen. Event data, metadata and tags enter a commit
 * only this way, so every store has the same data, and nobody can change it afterwards.
 *
 * As with `JSON.stringify`, a date becomes its ISO string, an object with `toJSON` becomes its result, a property that
 * is `undefined` is left out, and -0 becomes 0. But values that `JSON.stringify` would lose silently (NaN, infinity,
 * `undefined` in a list, a Map, a class instance, bytes) are refused with their path.
 */
import { InputError } from './error.ts'
import type { Json } from './json-value.ts'
import { type Box, SealedValue, valueIn } from './sealed-value.ts'

export type { Json, JsonObject } from './json-value.ts'

/** How deep objects and lists may nest. A cycle reaches this limit too. */
export const depthMax = 500

/** The estimated size of a value that is not a string. A string counts with its length. */
export const sizeOfScalar = 8

/**
 * A frozen copy of a value as JSON.
 *
 * @throws InputError `DATA_NOT_JSON` with the path of the first thing that JSON cannot hold
 */
export function toJson(what: string, value: unknown): Json {
  return new JsonCopier().copy(value, what, '')
}

/**
 * Refuses what `toJson` refuses, but makes no copy. For data that a store writes as text at once.
 *
 * @throws InputError `DATA_NOT_JSON`
 */
export function checkJson(what: string, value: unknown): void {
  if (!isPlainJson(value, 0)) toJson(what, value)
}

/** Whether a value is already plain JSON. If not, `toJson` may still turn it into JSON. */
function isPlainJson(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || depth >= depthMax) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isPlainJson(value[i], depth + 1)) return false
    return true
  }
  if (!isPlain(value) || 'toJSON' in value) return false
  for (const key of Object.keys(value)) {
    const item = (value as Readonly<Record<string, unknown>>)[key]
    if (item !== undefined && !isPlainJson(item, depth + 1)) return false
  }
  return true
}

/**
 * Whether the result of `JSON.parse` could have been stored. A text that was not written by a store may hold a number
 * that is too large, which is read as infinite, or may nest too deep.
 */
export function isStorable(parsed: unknown, depth: number = 0): boolean {
  if (typeof parsed === 'number') return Number.isFinite(parsed)
  if (typeof parsed !== 'object' || parsed === null) return true
  if (depth >= depthMax) return false
  if (Array.isArray(parsed)) {
    for (let i = 0; i < parsed.length; i++) if (!isStorable(parsed[i], depth + 1)) return false
    return true
  }
  for (const key of Object.keys(parsed)) {
    if (!isStorable((parsed as Readonly<Record<string, unknown>>)[key], depth + 1)) return false
  }
  return true
}

/** Whether an object is a plain record: made by a literal (in any realm), or without a prototype. */
export function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

const hasOwn = Object.prototype.hasOwnProperty

const tooLarge = (size: number): Error => new RangeError(`more than ${size} characters of JSON`)

/** Copies values as `toJson` does, and adds up their approximate size in characters of JSON. */
export class JsonCopier {
  size = 0
  /** The copy stops above this size, so that no work is spent on data that is too large. */
  sizeMax: number = Number.POSITIVE_INFINITY
  /** Makes the error that is thrown then. */
  tooLarge: (size: number) => Error = tooLarge
  /** Whether personal values are copied as their boxes. Only readers of event data look for these. */
  takesPersonal = false
  /** Whether it has copied something that a reader could take for a personal value. */
  looksPersonal = false
  #what = ''
  #name = ''

  /** Copies a value. Errors call it by `what` and `name`. */
  copy(value: unknown, what: string, name: string): Json {
    this.#what = what
    this.#name = name
    return this.#of(value, '', 0)
  }

  #of(value: unknown, path: string, depth: number): Json {
    switch (typeof value) {
      case 'string':
        this.size += value.length + 2
        return value
      case 'number':
        this.size += sizeOfScalar
        if (!Number.isFinite(value)) this.#refuse(path, String(value))
        return value === 0 ? 0 : value
      case 'boolean':
        this.size += sizeOfScalar
        return value
      case 'object':
        if (value === null) {
          this.size += sizeOfScalar
          return null
        }
        if (this.size > this.sizeMax) throw this.tooLarge(this.size)
        if (depth >= depthMax) this.#refuse(path, `something nested more than ${depthMax} deep, or a cycle`)
        if (SealedValue.is(value)) return this.#sealed(value, path)
        return Array.isArray(value) ? this.#list(value, path, depth) : this.#object(value, path, depth)
      default:
        return this.#refuse(path, value === undefined ? 'undefined' : `a ${typeof value}`)
    }
  }

  #list(list: readonly unknown[], path: string, depth: number): Json {
    this.size += 2
    const copy: Json[] = new Array(list.length)
    for (let i = 0; i < list.length; i++) {
      if (this.size > this.sizeMax) throw this.tooLarge(this.size)
      copy[i] = this.#of(list[i], `${path}[${i}]`, depth + 1)
    }
    return Object.freeze(copy)
  }

  #object(object: object, path: string, depth: number): Json {
    if (!isPlain(object)) return this.#special(object, path, depth)
    if (typeof (object as { toJSON?: unknown }).toJSON === 'function') return this.#special(object, path, depth)
    // A box stays the object that its value is found by.
    if (this.takesPersonal && '$personal' in object && valueIn(object) !== undefined) return object as Json
    this.size += 2
    const copy: Record<string, Json> = {}
    // Without the list of keys that `Object.keys` makes.
    for (const key in object) {
      if (!hasOwn.call(object, key)) continue
      const value = (object as Record<string, unknown>)[key]
      if (value === undefined) continue
      if (this.size > this.sizeMax) throw this.tooLarge(this.size)
      this.size += key.length + 3
      const item = this.#of(value, path === '' ? key : `${path}.${key}`, depth + 1)
      if (key === '__proto__') Object.defineProperty(copy, key, { value: item, enumerable: true })
      else copy[key] = item
      if (key === '$personal') this.looksPersonal = true
    }
    return Object.freeze(copy)
  }

  #sealed(value: SealedValue, path: string): Json {
    if (!this.takesPersonal) return this.#refuse(path, 'a personal value')
    const box = SealedValue.boxOf(value, this.#called, path)
    this.size += sizeOf(box)
    return box
  }

  #special(object: object, path: string, depth: number): Json {
    if (object instanceof Date && Number.isNaN(object.getTime())) this.#refuse(path, 'an invalid date')
    const { toJSON } = object as { toJSON?: unknown }
    const name = object.constructor?.name ?? 'unknown class'
    if (typeof toJSON !== 'function' || ArrayBuffer.isView(object)) return this.#refuse(path, `an instance of ${name}`)
    return this.#of(toJSON.call(object), path, depth + 1)
  }

  #refuse(path: string, found: string): never {
    throw new InputError('DATA_NOT_JSON', { what: this.#called, path, found })
  }

  get #called(): string {
    return this.#name === '' ? this.#what : `${this.#what} ${this.#name}`
  }
}

const sizeOf = ({ $personal }: Box): number =>
  typeof $personal === 'string' ? $personal.length + 16 : JSON.stringify($personal).length
