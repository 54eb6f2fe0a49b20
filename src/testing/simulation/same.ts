/** Whether two states or rows are the same, with the personal values in them. */
import { isDeepStrictEqual } from 'node:util'
import { isPlain } from '../../domain/json.ts'
import { sealedWithin } from '../../domain/personal-fields.ts'
import { SealedValue } from '../../domain/sealed-value.ts'

/** Personal values are the same if the same is stored of them, whoever reads it. */
export function isSame(one: unknown, other: unknown): boolean {
  if (!isDeepStrictEqual(one, other)) return false
  return sealedWithin(one).length === 0 || isDeepStrictEqual(withBoxes(one), withBoxes(other))
}

/** The same data, with what is stored of personal values in their place. */
function withBoxes(data: unknown): unknown {
  if (SealedValue.is(data)) return SealedValue.boxOf(data, 'A value', '')
  if (Array.isArray(data)) return data.map(withBoxes)
  if (data instanceof Map) return new Map(Array.from(data, ([key, value]) => [withBoxes(key), withBoxes(value)]))
  if (data instanceof Set) return new Set(Array.from(data, withBoxes))
  if (typeof data !== 'object' || data === null || !isPlain(data)) return data
  return Object.fromEntries(Object.entries(data).map(([name, part]) => [name, withBoxes(part)]))
}
