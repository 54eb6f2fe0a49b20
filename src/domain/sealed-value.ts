/**
 * Values that are encrypted wherever they are stored. A sealed value has a form in JSON: a box, which only the key of
 * its subject opens. The same value keeps the same box in every event, state and row, so carrying it costs no
 * encryption.
 *
 * The box is an object, and the value that belongs to it is found by this object. A reader of a store makes that
 * connection when it has found the key (`adopt`). JSON that only looks like a box belongs to no value.
 *
 * Short values of one subject that are sealed together share one encrypted text, because one encryption costs as much
 * processor time as half a command. Each has a box of its own, which has the whole text and says which part of it.
 */
import { DefinitionError, InputError, StoreError } from './error.ts'
import { brief } from './error-words.ts'
import type { Json, JsonObject } from './json-value.ts'
import { Another } from './private-mark.ts'

/** The key of one subject. */
export interface SubjectKey {
  readonly id: string
  readonly subject: string
  /** What the boxes begin with that it has sealed (`boxStartOf`). */
  readonly boxStart: string
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

/** The values of boxes that were frozen before they got one. */
const values = new WeakMap<object, SealedValue>()

/** Connects a box with its value. An entry of a WeakMap would cost ten times as much. */
class Connected extends Another {
  readonly #value: SealedValue

  constructor(box: Box, value: SealedValue) {
    super(box)
    this.#value = value
  }

  static boxed(box: object): SealedValue | undefined {
    return #value in box ? box.#value : undefined
  }
}

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
    // Its private fields still change.
    Object.freeze(this)
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

  /** Seals values of one subject. Those that are sealed already stay as they are. */
  static seal(all: readonly SealedValue[], key: SubjectKey): void {
    let from = 0
    let size = 0
    for (let i = 0; i < all.length; i++) {
      const { length } = all[i]!.#text ?? ''
      if (i > from && size + length > sharedMax) {
        SealedValue.#sealTogether(all.slice(from, i), key)
        from = i
        size = 0
      }
      size += length
    }
    SealedValue.#sealTogether(from === 0 ? all : all.slice(from), key)
  }

  static #sealTogether(all: readonly SealedValue[], key: SubjectKey): void {
    let text = ''
    let parts = 0
    for (const value of all) {
      if (SealedValue.isUnsealed(value)) text += parts++ === 0 ? value.#text! : `${separator}${value.#text!}`
    }
    if (parts === 0) return
    const sealed = key.seal(text)
    let part = 0
    for (const value of all) {
      if (!SealedValue.isUnsealed(value)) continue
      const box: Box = { $personal: key.boxStart + partText(part++) + sealed }
      new Connected(box, value)
      value.#box = Object.freeze(box)
      value.#key = key
    }
  }

  static keyOf(value: SealedValue): SubjectKey | undefined {
    return value.#key
  }

  /** Its text; `undefined` if it is forgotten. */
  static textOf(value: SealedValue): string | undefined {
    const key = value.#key
    if (key === undefined) return value.#text
    return key.isDestroyed ? undefined : (value.#text ?? openedText(key, value.#box!))
  }

  /** Gives a value its text again, as if it had never been sealed: its key was destroyed before it was used. */
  static renew(value: SealedValue, text: string): void {
    value.#text = text
    value.#key = undefined
    value.#box = undefined
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
    return { subject, key, box: Object.freeze({ $personal: key.boxStart + partText(0) + key.seal(text) }) }
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

/** The format of a box comes first, so that there can be others. It is the only one so far. */
const formatKnown = 1
const format = `${formatKnown}.`
const idLength = 22
const partAt = format.length + idLength + 1
/** Between the texts that are sealed together. No text of JSON has it. */
const separator = '\n'
/** Texts are sealed together up to this sum of their lengths, since each box has the whole encrypted text. */
const sharedMax = 200

/**
 * The text of a box is this, its part, and what is encrypted. Each string that is added costs memory until it is
 * stored.
 */
export const boxStartOf = (keyId: string): string => `${format}${keyId}.`
const firstParts = ['0.', '1.', '2.', '3.']
const partText = (part: number): string => firstParts[part] ?? `${part}.`

/** @throws StoreError `STORE_CORRUPT` */
function openedText(key: SubjectKey, { $personal }: Box): string {
  const box = $personal as string
  const dot = box.indexOf('.', partAt)
  let texts: readonly string[] = []
  try {
    texts = key.open(box.slice(dot + 1)).split(separator)
  } catch {
    // What the platform says of it teaches nothing.
  }
  const text = texts[Number(box.slice(partAt, dot))]
  if (text !== undefined) return text
  throw new StoreError('STORE_CORRUPT', {
    store: 'of personal values',
    where: `a value of ${brief(key.subject)}`,
    reason: 'it was changed, or its key did not encrypt it',
  })
}

/** Whether some JSON has the form of a box. */
export function isBox(json: unknown): json is Box {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false
  const { $personal } = json as JsonObject
  if (typeof $personal !== 'string') return false
  return $personal.startsWith(format) && $personal[partAt - 1] === '.' && Object.keys(json).length === 1
}

/** Whether some JSON has the form of a box that this program, or one of another version, has made. */
export const isAnyBox = (json: unknown): json is Box => isBox(json) || versionOf(json) > formatKnown

/** The format of what may be a box; 0 if it is none. */
function versionOf(json: unknown): number {
  const { $personal } = (json ?? {}) as JsonObject
  if (typeof $personal !== 'string' || Object.keys(json as object).length !== 1) return 0
  return Number(/^([1-9]\d{0,8})\./.exec($personal)?.[1] ?? 0)
}

/** The id of the key that opens a box. */
const keyIdOf = ({ $personal }: Box): string => ($personal as string).slice(format.length, partAt - 1)

/**
 * The id of the key that opens a box; `undefined` if some JSON is no box.
 *
 * @throws StoreError `PERSONAL_TOO_NEW` for a box that a newer version of the library has made
 */
export function boxKeyOf(json: Json): string | undefined {
  if (isBox(json)) return keyIdOf(json)
  const version = versionOf(json)
  if (version > formatKnown)
    throw new StoreError('PERSONAL_TOO_NEW', { what: 'A stored personal value', version, known: formatKnown })
  return undefined
}

/** The value that belongs to a box, if a reader has adopted it. */
export const valueIn = (box: object): SealedValue | undefined => Connected.boxed(box) ?? values.get(box)

/** Connects a box with its value. A box that was sealed here keeps the value that it has. */
export function adopt(box: Box, value: SealedValue): void {
  if (Connected.boxed(box) !== undefined) return
  if (Object.isExtensible(box)) new Connected(box, value)
  else values.set(box, value)
}

/**
 * Whether functions run whose results are stored as they are: folds, and functions for keys and tags. They may carry
 * personal values, but not read them.
 */
let isCarrying = false

/** Runs a function that may carry personal values, but not read them. */
export function carrying<Result>(run: () => Result): Result {
  return carryingWith(run, undefined, undefined, undefined)
}

/** The same for a function with arguments. Every event of a command passes here, which a closure would slow down. */
export function carryingWith<First, Second, Third, Result>(
  run: (first: First, second: Second, third: Third) => Result,
  first: First,
  second: Second,
  third: Third,
): Result {
  if (isCarrying) return run(first, second, third)
  isCarrying = true
  try {
    return run(first, second, third)
  } finally {
    isCarrying = false
  }
}
