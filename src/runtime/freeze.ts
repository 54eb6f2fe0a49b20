/**
 * States are frozen as they come out of `evolve`: the live aggregate's own state is handed to callers and to `decide`,
 * and an `evolve` that changes its argument in place is found out at once instead of spoiling what was stored.
 *
 * Freezing goes as deep as the state does: records and lists are frozen, also within what somebody has frozen already,
 * and the methods that change a Map, a Set or a Date throw. Where somebody has frozen one of these, which leaves it as
 * changeable as it was, a guarded copy takes its place. What cannot be kept from being changed (an instance of a class
 * may keep anything in private) is no part of a state. Not looked at are properties that are added to a list, and those
 * with a symbol as their key: that would cost more than all the rest. What was frozen here is marked, so that what a
 * state has in common with the one before is not walked through again. Decision 0005 says what else was considered.
 */
import { depthMax, isPlain } from '../domain/json.ts'
import { Another } from '../domain/private-mark.ts'

/** In what is frozen, all the way down. */
class Frozen extends Another {
  readonly #frozen = true

  static has(object: object): boolean {
    return #frozen in object
  }
}

/**
 * Freezes a state, and gives it back; where something in it has to be replaced, a copy with the replacement.
 *
 * @throws TypeError for what cannot be kept from being changed, with its path
 */
export function deepFreeze<State>(state: State): State {
  if (!isPart(state) || isFlat(state)) return state
  const { value, isWhole } = freezeParts(state, true)
  if (!isWhole) throw new TypeError(objection(value as object))
  return value
}

/** A value that was frozen as far as that can be done. */
export interface FrozenParts<Value> {
  readonly value: Value
  /** Whether nothing in it can be changed. */
  readonly isWhole: boolean
}

/**
 * The same for a value that somebody's schema has made; what cannot be frozen is left as it is.
 *
 * @param marks whether what was frozen is marked: it is worth it where the same parts are frozen again and again
 */
export function freezeParts<Value>(value: Value, marks = false): FrozenParts<Value> {
  if (!isPart(value) || isFlat(value)) return { value, isWhole: true }
  isMarking = marks
  isOpen = false
  copies = undefined
  const kept = guarded(value, 0) as Value
  return { value: kept, isWhole: !isOpen }
}

/** Freezes a record that has no parts, as most are; says whether it is one. */
function isFlat(value: object): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const key in value) if (isPart((value as Fields)[key])) return false
  Object.freeze(value)
  return true
}

const isPart = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

// Of the walk that is under way: variables of the module, since it is on the way of every command.
let isMarking = false
/** Whether something was found that cannot be frozen. */
let isOpen = false
/** What stands for objects that had to be copied: an object that is there twice stays one. */
let copies: Map<object, object> | undefined

/** Freezes an object and all in it. */
function guarded(object: object, depth: number): object {
  if (Frozen.has(object)) return object
  if (depth >= depthMax || typeof object === 'function') return open(object)
  const copy = copies?.get(object)
  if (copy !== undefined) return copy
  const wasOpen = isOpen
  isOpen = false
  const kept = guardedParts(object, depth)
  if (kept !== object) remember(object, kept)
  if (isMarking && !isOpen && (depth > 0 || isLong(kept)) && !Frozen.has(kept)) new Frozen(kept)
  isOpen ||= wasOpen
  return kept
}

/** The outermost record is another one after each event: a mark would cost more than it saves. */
const isLong = (object: object): boolean => Array.isArray(object) && object.length > 16

function open(object: object): object {
  isOpen = true
  return object
}

function remember(object: object, copy: object): void {
  copies ??= new Map()
  copies.set(object, copy)
}

function guardedParts(object: object, depth: number): object {
  if (Array.isArray(object)) return guardedList(object, depth)
  return isPlain(object) ? guardedRecord(object as Fields, depth) : guardedSpecial(object, depth)
}

type Fields = Readonly<Record<string, unknown>>

function guardedList(list: readonly unknown[], depth: number): object {
  Object.freeze(list)
  let copy: unknown[] | undefined
  for (let i = 0; i < list.length; i++) {
    const item = list[i]
    if (!isPart(item)) continue
    const kept = guarded(item, depth + 1)
    if (kept === item) continue
    copy ??= list.slice()
    copy[i] = kept
  }
  return copy === undefined ? list : Object.freeze(copy)
}

function guardedRecord(record: Fields, depth: number): object {
  Object.freeze(record)
  let replaced: PropertyDescriptorMap | undefined
  for (const key in record) {
    const item = record[key]
    if (!isPart(item)) continue
    const kept = guarded(item, depth + 1)
    if (kept === item) continue
    replaced ??= Object.getOwnPropertyDescriptors(record)
    // Defined, since the key may be `__proto__`.
    Object.defineProperty(replaced, key, { value: { value: kept, enumerable: true }, enumerable: true })
  }
  if (replaced === undefined) return record
  return Object.freeze(Object.create(Object.getPrototypeOf(record), replaced))
}

/**
 * A Map, a Set or a Date is given methods that throw. One that somebody has frozen or sealed cannot be given any, and
 * its contents can still be changed: a copy takes its place. So it does if something in it has to be replaced.
 */
function guardedSpecial(object: object, depth: number): object {
  const changing = changingOf(object)
  if (changing === undefined || hasMore(object)) return open(object)
  let isSame = Object.isExtensible(object) && Object.getOwnPropertyNames(object).length === 0
  const part = (item: unknown): unknown => {
    if (!isPart(item)) return item
    const kept = guarded(item, depth + 1)
    if (kept !== item) isSame = false
    return kept
  }
  const isMap = object instanceof Map
  if (isMap || object instanceof Set) {
    for (const [key, item] of object.entries()) {
      part(key)
      if (isMap) part(item)
    }
  }
  const kept = isSame ? object : copyOf(object, part)
  for (const method of changing.methods) Object.defineProperty(kept, method, changing.refusal)
  // Marked in any case: one that is frozen and not marked is somebody else's.
  if (!isOpen) new Frozen(kept)
  return Object.freeze(kept)
}

function copyOf(object: object, part: (item: unknown) => unknown): object {
  if (object instanceof Map) return new Map(Array.from(object, ([key, item]) => [part(key), part(item)]))
  return object instanceof Set ? new Set(Array.from(object, part)) : new Date((object as Date).getTime())
}

const changingOf = (object: object): Changing | undefined =>
  changingMethods.find(({ of }) => Object.getPrototypeOf(object) === of.prototype)

/**
 * Whether it has properties of its own, other than the methods that somebody else (immer) has put in the way of
 * changes.
 */
function hasMore(object: object): boolean {
  const own = Reflect.ownKeys(object)
  return own.length > 0 && own.some((key) => !changingMethods.some(({ methods }) => methods.includes(key as string)))
}

interface Changing {
  readonly of: { readonly prototype: object }
  readonly methods: readonly string[]
  /** What takes the place of each method; not enumerable, so that comparing and copying do not see it. */
  readonly refusal: PropertyDescriptor
}

const changingMethods: readonly Changing[] = [
  changing(
    Date,
    'new Date(date)',
    Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set')),
  ),
  changing(Map, 'new Map(map)', ['set', 'delete', 'clear']),
  changing(Set, 'new Set(set)', ['add', 'delete', 'clear']),
]

function changing(of: Changing['of'] & { readonly name: string }, copy: string, methods: readonly string[]): Changing {
  const value = () => {
    throw new TypeError(`This ${of.name} is part of a state, which changes by events alone: change a copy, ${copy}`)
  }
  return { of, methods, refusal: { value } }
}

// -- what cannot be frozen, found again for its path -------------------------------------------------------------

function objection(state: object): string {
  const { path, found } = offender(state, '', 0)!
  const where = path === '' ? 'it is' : `it holds ${path}, which is`
  return `a state is made of records, lists, texts, numbers, dates, maps and sets, and ${where} ${found}: that could be changed unnoticed`
}

/** The beginning of a path: one into a cycle has no end. */
const brief = (path: string): string => (path.length > 80 ? `${path.slice(0, 77)}...` : path)

interface Offender {
  readonly path: string
  readonly found: string
}

function offender(value: unknown, path: string, depth: number): Offender | undefined {
  if (!isPart(value) || Frozen.has(value)) return undefined
  if (typeof value === 'function') return { path, found: 'a function' }
  if (depth >= depthMax) return { path: brief(path), found: `nested more than ${depthMax} deep, or a cycle` }
  for (const [key, item] of partsOf(value)) {
    const found = offender(item, key.startsWith('[') || path === '' ? path + key : `${path}.${key}`, depth + 1)
    if (found !== undefined) return found
  }
  if (Array.isArray(value) || isPlain(value)) return undefined
  const name = value.constructor?.name ?? 'an unknown class'
  if (changingOf(value) === undefined) return { path, found: `an instance of ${name}` }
  return hasMore(value) ? { path, found: `a ${name} with properties of its own` } : undefined
}

function partsOf(object: object): readonly (readonly [key: string, item: unknown])[] {
  if (Array.isArray(object)) return object.map((item, i) => [`[${i}]`, item])
  if (object instanceof Map || object instanceof Set) {
    return [...object.entries()].flatMap((entry, i) => entry.map((item) => [`[${i}]`, item] as const))
  }
  return isPlain(object) ? Object.entries(object) : []
}
