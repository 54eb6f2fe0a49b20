/**
 * Copies data that a caller has given, so that the caller cannot change it afterwards. A schema may return its input
 * itself, and a command is decided later than the call, perhaps more than once.
 *
 * Records, lists, maps, sets, dates and bytes are copied. Any other value (an instance of a class, a function) stays as
 * it is, because only its author knows how to copy it.
 */
import { InputError } from './error.ts'
import { depthMax, isPlain } from './json.ts'
import { valueIn } from './sealed-value.ts'

/**
 * Copies a value.
 *
 * @param what the data, for messages
 * @throws InputError `DATA_NOT_JSON` for data that is nested too deep
 */
export function ownCopy(what: string, value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth >= depthMax) throw nestedTooDeep(what)
  if (Array.isArray(value)) {
    const copy = value.slice()
    for (let i = 0; i < copy.length; i++) {
      if (typeof copy[i] === 'object') copy[i] = ownCopy(what, copy[i], depth + 1)
    }
    return copy
  }
  return isPlain(value) ? recordCopy(what, value, depth) : specialCopy(what, value, depth)
}

/** The error for data that is nested too deep, or has a cycle. */
export function nestedTooDeep(what: string): InputError {
  const found = `something nested more than ${depthMax} deep, or a cycle`
  return new InputError('DATA_NOT_JSON', { what, path: '', found })
}

function recordCopy(what: string, record: object, depth: number): unknown {
  // Its value is found by the box itself.
  if ('$personal' in record && valueIn(record) !== undefined) return record
  const copy = { ...record } as Record<string, unknown>
  for (const key in copy) {
    const item = copy[key]
    if (typeof item === 'object' && item !== null) copy[key] = ownCopy(what, item, depth + 1)
  }
  return copy
}

const bytes = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array

function specialCopy(what: string, value: object, depth: number): unknown {
  const copyOf = (item: unknown) => ownCopy(what, item, depth + 1)
  switch (Object.getPrototypeOf(value)) {
    case Date.prototype:
      return new Date((value as Date).getTime())
    case Map.prototype:
      return new Map(Array.from(value as Map<unknown, unknown>, ([key, item]) => [copyOf(key), copyOf(item)]))
    case Set.prototype:
      return new Set(Array.from(value as Set<unknown>, copyOf))
    case ArrayBuffer.prototype:
      return (value as ArrayBuffer).slice(0)
    case DataView.prototype: {
      const { buffer, byteOffset, byteLength } = value as DataView
      return new DataView(buffer.slice(byteOffset, byteOffset + byteLength))
    }
    default:
      // The `slice` of a Buffer would only give a view of the same bytes.
      return ArrayBuffer.isView(value) && !(value instanceof DataView) ? bytes.slice.call(value) : value
  }
}
