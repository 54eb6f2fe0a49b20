/**
 * States are frozen as they come out of `evolve`: the live aggregate's own state is handed to callers and to `decide`, and
 * an `evolve` that changes its argument in place is found out at once instead of spoiling what was stored.
 */
import { isPlain } from '../domain/json.ts'

/** Freezes lists and plain records as deep as they go; parts that are frozen already are not entered. */
export function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (Array.isArray(value)) {
    Object.freeze(value)
    for (const item of value) deepFreeze(item)
  } else if (isPlain(value)) {
    Object.freeze(value)
    for (const key in value) {
      const item = value[key]
      if (typeof item === 'object') deepFreeze(item)
    }
  }
  return value
}
