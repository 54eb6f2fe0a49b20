/**
 * What a log can hold: JSON, checked and copied once, then frozen. `toJson` is the only way that event data,
 * metadata and tags enter a commit, so every store holds the same thing and nobody can change it afterwards.
 *
 * As `JSON.stringify` would: a date becomes its ISO string, an object with `toJSON` its result, a property that is
 * `undefined` is left out, -0 is 0. Not as `JSON.stringify` would: whatever it would lose without a word (NaN,
 * infinity, `undefined` in a list, a Map, a class instance, bytes) is refused with its path.
 */
import { InputError } from './error.ts'

export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

/** How deep objects and lists may nest. A cycle meets this bound too. */
export const depthMax = 500

/** What a value costs in the estimate of a commit's size: a text its length, everything else this. */
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
 * Refuses what `toJson` refuses, without a copy: for what a store writes as text at once.
 *
 * @throws InputError `DATA_NOT_JSON`
 */
export function checkJson(what: string, value: unknown): void {
  if (!isMereJson(value, 0)) toJson(what, value)
}

/** Whether a value is JSON as it is. Where it is not so plain, `toJson` may still make JSON of it. */
function isMereJson(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || depth >= depthMax) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isMereJson(value[i], depth + 1)) return false
    return true
  }
  if (!isPlain(value) || 'toJSON' in value) return false
  for (const key of Object.keys(value)) {
    const item = (value as Readonly<Record<string, unknown>>)[key]
    if (item !== undefined && !isMereJson(item, depth + 1)) return false
  }
  return true
}

/** Whether an object is a mere record: made by a literal (of any realm) or without a prototype. */
export function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Copies values as `toJson` does, and sums up about how many characters of JSON they are. */
export class JsonCopier {
  size = 0
  /** The copy stops beyond this size, so that no work is done on data that is too large anyway. */
  sizeMax: number = Number.POSITIVE_INFINITY
  /** What is thrown then. */
  tooLarge: (size: number) => Error = (size) => new RangeError(`more than ${size} characters of JSON`)
  #what = ''
  #name = ''

  /** The copy of a value; an error will call it by `what` and `name`. */
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
    this.size += 2
    const copy: Record<string, Json> = {}
    for (const key of Object.keys(object)) {
      const value = (object as Record<string, unknown>)[key]
      if (value === undefined) continue
      if (this.size > this.sizeMax) throw this.tooLarge(this.size)
      this.size += key.length + 3
      const item = this.#of(value, path === '' ? key : `${path}.${key}`, depth + 1)
      if (key === '__proto__') Object.defineProperty(copy, key, { value: item, enumerable: true })
      else copy[key] = item
    }
    return Object.freeze(copy)
  }

  #special(object: object, path: string, depth: number): Json {
    if (object instanceof Date && Number.isNaN(object.getTime())) this.#refuse(path, 'an invalid date')
    const { toJSON } = object as { toJSON?: unknown }
    const name = object.constructor?.name ?? 'unknown class'
    if (typeof toJSON !== 'function' || ArrayBuffer.isView(object)) return this.#refuse(path, `an instance of ${name}`)
    return this.#of(toJSON.call(object), path, depth + 1)
  }

  #refuse(path: string, found: string): never {
    const what = this.#name === '' ? this.#what : `${this.#what} ${this.#name}`
    throw new InputError('DATA_NOT_JSON', { what, path, found })
  }
}
