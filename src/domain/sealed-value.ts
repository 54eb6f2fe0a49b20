/**
 * Values that are encrypted wherever they are stored. A sealed value has a form in JSON: a box, which only the key of
 * its subject opens. The same value keeps the same box in every event, state and row, so carrying it costs no
 * encryption.
 *
 * The box is an object, and the value that belongs to it is found by this object. A reader of a store makes that
 * connection when it has found the key (`adopt`). JSON that only looks like a box belongs to no value.
 */
import { DefinitionError, InputError, StoreError } from './error.ts'
import type { Json, JsonObject } from './json-value.ts'

/** The key of one subject. */
export interface SubjectKey {
  readonly id: string
  readonly subject: string
  /** Whether it is destroyed. */
  readonly isDestroyed: boolean
  /** Whether it is known that no other process has destroyed it. */
  readonly isConfirmed: boolean
  /** The encrypted text. */
  seal(text: string): string
  /** The text again. The key must not be destroyed. */
  open(sealed: string): string
}

/** The form of a sealed value in JSON. */
export interface Box extends JsonObject {
  readonly $personal: Json
}

const values = new WeakMap<object, SealedValue>()

/** What all sealed values have. `Personal` adds the value itself. */
export class SealedValue {
  readonly #subject: string
  /**
   * The value as a text of JSON, until the event that it comes in with is checked (`release`). A value that was stored
   * in clear keeps it.
   */
  #text: string | undefined
  #key: SubjectKey | undefined
  #box: Box | undefined
  readonly #isClear: boolean

  constructor(origin: Origin) {
    this.#subject = origin.subject
    this.#text = origin.text
    this.#key = origin.key
    this.#box = origin.box
    this.#isClear = origin.isClear ?? false
  }

  /** Whose it is. */
  get subject(): string {
    return this.#subject
  }

  /** Whether its key was destroyed. */
  get isForgotten(): boolean {
    return this.#key?.isDestroyed ?? false
  }

  static is(value: unknown): value is SealedValue {
    return typeof value === 'object' && value !== null && #subject in value
  }

  /** Whether it needs a key before it can be stored. */
  static isUnsealed(value: SealedValue): boolean {
    return value.#box === undefined && !value.#isClear
  }

  static seal(value: SealedValue, key: SubjectKey): void {
    if (!SealedValue.isUnsealed(value)) return
    value.#box = boxOf(key, value.#text!)
    value.#key = key
    values.set(value.#box, value)
  }

  static keyOf(value: SealedValue): SubjectKey | undefined {
    return value.#key
  }

  /** Its text; `undefined` if it is forgotten. */
  static textOf(value: SealedValue): string | undefined {
    const key = value.#key
    if (key === undefined) return value.#text
    return key.isDestroyed ? undefined : (value.#text ?? key.open(sealedText(value.#box!)))
  }

  /** Drops the text of a sealed value. From now on only its key gives it back. */
  static release(value: SealedValue): void {
    if (value.#key !== undefined) value.#text = undefined
  }

  /** The same for a reader outside: only if no other process may have destroyed the key. */
  static read(value: SealedValue): string | undefined {
    if (isCarrying) throw new DefinitionError('PERSONAL_READ', { subject: value.#subject })
    const key = value.#key
    if (key !== undefined && !key.isDestroyed && !key.isConfirmed)
      throw new StoreError('KEYS_UNCONFIRMED', { subject: value.#subject })
    return SealedValue.textOf(value)
  }

  /** How it is stored. @throws InputError `PERSONAL_PLAIN` if it has no key yet */
  static boxOf(value: SealedValue, what: string, path: string): Box {
    if (SealedValue.isUnsealed(value)) throw new InputError('PERSONAL_PLAIN', { what, path })
    value.#box ??= Object.freeze({ $personal: Object.freeze([value.#subject, value.#text!]) })
    return value.#box
  }

  /** The origin of a value with the same subject and another text. */
  static origin(value: SealedValue, text: string): Origin {
    const subject = value.#subject
    const key = value.#key
    if (key === undefined || key.isDestroyed) return { subject, text, isClear: value.#isClear }
    return { subject, key, box: boxOf(key, text) }
  }

  /** Whether a box is the form of a value, as far as this can be known without its key. */
  static hasBox(value: SealedValue, box: Json): boolean {
    const own = value.#box
    return own === box || (own !== undefined && isBox(box) && JSON.stringify(own) === JSON.stringify(box))
  }

  /** Whether both have the same subject and the same text, or the same box. */
  static isSame(a: SealedValue, b: SealedValue): boolean {
    if (a.#subject !== b.#subject || a.isForgotten !== b.isForgotten) return false
    if (b.#box !== undefined && SealedValue.hasBox(a, b.#box)) return true
    return !a.isForgotten && SealedValue.textOf(a) === SealedValue.textOf(b)
  }
}

/** What a sealed value is made from. */
export interface Origin {
  readonly subject: string
  readonly text?: string
  readonly key?: SubjectKey
  readonly box?: Box
  /** Whether it was stored before its field was declared as personal, so that no key can protect it. */
  readonly isClear?: boolean
}

function boxOf(key: SubjectKey, text: string): Box {
  return Object.freeze({ $personal: `${format}${key.id}.${key.seal(text)}` })
}

/** The format of a box comes first, so that there can be others. */
const format = '1.'
const idLength = 22
const textAt = format.length + idLength + 1

const sealedText = ({ $personal }: Box): string => ($personal as string).slice(textAt)

/** Whether some JSON has the form of a box. */
export function isBox(json: unknown): json is Box {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false
  const { $personal } = json as JsonObject
  if (typeof $personal !== 'string') return false
  return $personal.startsWith(format) && $personal[textAt - 1] === '.' && Object.keys(json).length === 1
}

/** The id of the key that opens a box. */
export const keyIdOf = ({ $personal }: Box): string => ($personal as string).slice(format.length, textAt - 1)

/** The value that belongs to a box, if a reader has adopted it. */
export const valueIn = (box: object): SealedValue | undefined => values.get(box)

/** Connects a box with its value. */
export function adopt(box: Box, value: SealedValue): void {
  values.set(box, value)
}

/**
 * Whether functions run whose results are stored as they are: folds, and functions for keys and tags. They may carry
 * personal values, but not read them.
 */
let isCarrying = false

/** Runs a function that may carry personal values, but not read them. */
export function carrying<Result>(run: () => Result): Result {
  if (isCarrying) return run()
  isCarrying = true
  try {
    return run()
  } finally {
    isCarrying = false
  }
}
