/**
 * States are frozen as they come out of `evolve`: the live aggregate's own state is handed to callers and to `decide`, and
 * an `evolve` that changes its argument in place is found out at once instead of spoiling what was stored.
 *
 * Freezing goes as deep as the state does: records and lists are frozen, also within what somebody has frozen already, and the methods
 * that change a Map, a Set or a Date throw. What cannot be kept from being changed (an instance of a class may keep
 * anything in private) is no part of a state. What was frozen here is marked, so that what a state has in common with the one
 * before is not walked through again. Decision 0005 says what else was considered.
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
 * Freezes a state.
 *
 * @throws TypeError for what cannot be kept from being changed, with its path
 */
export function deepFreeze<State>(state: State): State {
  if (isPart(state) && !guard(state, 0)) throw new TypeError(objection(state))
  return state
}

/** Freezes what can be frozen in a value that somebody's schema has made, and leaves the rest as it is. */
export function freezeParts(value: unknown): void {
  if (isPart(value)) guard(value, 0)
}

const isPart = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

/** Freezes an object and all in it; gives false if something in it cannot be. */
function guard(object: object, depth: number): boolean {
  if (Frozen.has(object)) return true
  if (depth >= depthMax || typeof object === 'function') return false
  let isWhole = true
  if (Array.isArray(object)) {
    Object.freeze(object)
    for (const item of object) if (isPart(item) && !guard(item, depth + 1)) isWhole = false
  } else if (isPlain(object)) {
    Object.freeze(object)
    for (const key in object) {
      const item = (object as Record<string, unknown>)[key]
      if (isPart(item) && !guard(item, depth + 1)) isWhole = false
    }
  } else isWhole = guardSpecial(object, depth)
  if (isWhole) new Frozen(object)
  return isWhole
}

function guardSpecial(object: object, depth: number): boolean {
  const changing = changingMethods.find(({ of }) => Object.getPrototypeOf(object) === of.prototype)
  if (changing === undefined) return false
  if (!Object.isFrozen(object)) {
    for (const method of changing.methods) Object.defineProperty(object, method, changing.refusal)
    Object.freeze(object)
  }
  let isWhole = true
  if (object instanceof Map || object instanceof Set) {
    for (const [key, item] of object.entries()) {
      if (isPart(key) && !guard(key, depth + 1)) isWhole = false
      if (isPart(item) && !guard(item, depth + 1)) isWhole = false
    }
  }
  return isWhole
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
  const isGood =
    Array.isArray(value) ||
    isPlain(value) ||
    changingMethods.some(({ of }) => Object.getPrototypeOf(value) === of.prototype)
  return isGood ? undefined : { path, found: `an instance of ${value.constructor?.name ?? 'an unknown class'}` }
}

function partsOf(object: object): readonly (readonly [key: string, item: unknown])[] {
  if (Array.isArray(object)) return object.map((item, i) => [`[${i}]`, item])
  if (object instanceof Map || object instanceof Set) {
    return [...object.entries()].flatMap((entry, i) => entry.map((item) => [`[${i}]`, item] as const))
  }
  return isPlain(object) ? Object.entries(object) : []
}
