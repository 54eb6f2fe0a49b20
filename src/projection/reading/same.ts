/** Whether two values of rows have the same contents. 0 and -0 are the same, as for `===`. */

export function isSame(a: unknown, b: unknown): boolean {
  if (a === b || Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Date || b instanceof Date)
    return a instanceof Date && b instanceof Date && a.getTime() === b.getTime()
  if (a instanceof Map || b instanceof Map) return a instanceof Map && b instanceof Map && isSameMap(a, b)
  if (a instanceof Set || b instanceof Set) return a instanceof Set && b instanceof Set && isSameSet(a, b)
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame((a as Fields)[key], (b as Fields)[key]))
  )
}

type Fields = Readonly<Record<string, unknown>>

/** In any order. */
function isSameMap(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) {
    const isThere = b.has(key) ? isSame(value, b.get(key)) : isObject(key) && hasEntry(b, key, value)
    if (!isThere) return false
  }
  return true
}

const isSameSet = (a: ReadonlySet<unknown>, b: ReadonlySet<unknown>): boolean => isSameMap(keyed(a), keyed(b))
const keyed = (set: ReadonlySet<unknown>): ReadonlyMap<unknown, unknown> => new Map(set.entries())

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

/** Searches for an object key with the same contents. */
function hasEntry(map: ReadonlyMap<unknown, unknown>, key: unknown, value: unknown): boolean {
  for (const [other, held] of map) if (isSame(key, other) && isSame(value, held)) return true
  return false
}
