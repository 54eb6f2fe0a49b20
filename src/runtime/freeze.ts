/**
 * Freezes states. Callers and `decide` get the state object that the live aggregate uses itself. So every state that
 * `evolve` returns is frozen, and an `evolve` that changes its argument in place fails at once.
 *
 * Freezing is deep. Records and lists are frozen, also inside objects that the user has frozen. The methods that change
 * a Map, a Set or a Date are replaced by ones that throw. If the user has frozen such an object, its contents can still
 * be changed, so a guarded copy replaces it. A value whose changes cannot be prevented is refused: for instance, an
 * instance of a class may have private fields. Extra properties of a list and properties with a symbol as key are not
 * checked, because that would cost more than all the rest. Frozen objects are marked, so that the parts which a state
 * shares with the previous one are not frozen again. Decision 0005 describes the alternatives.
 */
import { depthMax, isPlain } from '../domain/json.ts'
import { Another } from '../domain/private-mark.ts'
import { SealedValue } from '../domain/sealed-value.ts'

/** Marks an object that is frozen with everything in it. */
class Frozen extends Another {
  readonly #frozen = true

  static has(object: object): boolean {
    return #frozen in object
  }
}

/**
 * Freezes a state and returns it. If a part has to be replaced, returns a copy with the replacement.
 *
 * @throws TypeError with the path of the first part that cannot be frozen
 */
export function deepFreeze<State>(state: State): State {
  if (!isPart(state) || isFlat(state)) return state
  const { value, isWhole } = freezeParts(state, true)
  if (!isWhole) throw new TypeError(objection(value as object))
  return value
}

/** A value that was frozen as far as possible. */
export interface FrozenParts<Value> {
  readonly value: Value
  /** Whether all of it is frozen. */
  readonly isWhole: boolean
}

/**
 * The same for a value that a schema has made. Parts that cannot be frozen stay as they are.
 *
 * @param marks whether frozen objects are marked, which pays off if the same parts are frozen again and again
 */
export function freezeParts<Value>(value: Value, marks = false): FrozenParts<Value> {
  if (!isPart(value) || isFlat(value)) return { value, isWhole: true }
  isMarking = marks
  isOpen = false
  copies = undefined
  const kept = guarded(value, 0) as Value
  return { value: kept, isWhole: !isOpen }
}

/**
 * Freezes a record without nested objects except personal values, as most are.
 *
 * @returns false if it is not such a record
 */
function isFlat(value: object): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const key in value) {
    const item = (value as Fields)[key]
    if (isPart(item) && !SealedValue.is(item)) return false
  }
  Object.freeze(value)
  return true
}

const isPart = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

// The state of the current walk. These are variables of the module, because every command passes here.
let isMarking = false
/** Whether a part was found that cannot be frozen. */
let isOpen = false
/** The copies of objects that had to be copied, so that an object that occurs twice gets one copy. */
let copies: Map<object, object> | undefined

/** Freezes an object and everything in it. */
function guarded(object: object, depth: number): object {
  if (SealedValue.is(object) || Frozen.has(object)) return object
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

/** The outermost record is new after each event, so a mark would cost more than it saves. */
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
    // Not assigned, because the key may be `__proto__`.
    Object.defineProperty(replaced, key, { value: { value: kept, enumerable: true }, enumerable: true })
  }
  if (replaced === undefined) return record
  return Object.freeze(Object.create(Object.getPrototypeOf(record), replaced))
}

/**
 * Gives a Map, a Set or a Date methods that throw. If the user has frozen or sealed it, it cannot get any, and a copy
 * replaces it. A copy also replaces it if a part of it has to be replaced.
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
  // Always marked. One that is frozen but not marked was frozen by the user.
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
 * Whether an object has extra properties, besides methods that another library (immer) has added to prevent changes.
 */
function hasMore(object: object): boolean {
  const own = Reflect.ownKeys(object)
  return own.length > 0 && own.some((key) => !changingMethods.some(({ methods }) => methods.includes(key as string)))
}

interface Changing {
  readonly of: { readonly prototype: object }
  readonly methods: readonly string[]
  /** Replaces each method. Not enumerable, so that comparing and copying ignore it. */
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
    throw new TypeError(`This ${of.name} is part of a state, and only events change a state: change a copy, ${copy}`)
  }
  return { of, methods, refusal: { value } }
}

// -- finding the path of a part that cannot be frozen -------------------------------------------------------------

function objection(state: object): string {
  const { path, found } = offender(state, '', 0)!
  const where = path === '' ? 'it is' : `${path} is`
  return `a state is made of records, lists, strings, numbers, dates, maps and sets, but ${where} ${found}, which could be changed unnoticed`
}

/** A path, cut if it is long: a path in a cycle has no end. */
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
  if (Array.isArray(value) || isPlain(value) || SealedValue.is(value)) return undefined
  const name = value.constructor?.name ?? 'an unknown class'
  if (changingOf(value) === undefined) return { path, found: `an instance of ${name}` }
  return hasMore(value) ? { path, found: `a ${name} with extra properties` } : undefined
}

function partsOf(object: object): readonly (readonly [key: string, item: unknown])[] {
  if (Array.isArray(object)) return object.map((item, i) => [`[${i}]`, item])
  if (object instanceof Map || object instanceof Set) {
    return [...object.entries()].flatMap((entry, i) => entry.map((item) => [`[${i}]`, item] as const))
  }
  return isPlain(object) ? Object.entries(object) : []
}
