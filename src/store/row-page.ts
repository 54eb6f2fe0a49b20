/**
 * Pages of rows for a store that has the keys of a projection in memory, in the order of JavaScript's comparison. In
 * that order, keys with the same beginning are neighbours, so a page is a binary search and a walk.
 */
import type { Json, JsonObject } from '../domain/json.ts'
import type { OrderedKeys } from './ordered-keys.ts'
import type { Condition, Row, RowPage, RowQuery } from './store.ts'

/**
 * Bounds of a page of rows, on every store: the number of rows that are looked at, and roughly the characters of JSON.
 */
export const rowsLookedAtMax = 10_000
export const rowCharactersMax = 8_000_000

/**
 * A page. Its rows are already in memory, so large rows cost nothing.
 *
 * @param keys all keys of the projection
 * @param load the value of the row with a key
 */
export function rowPage(
  keys: OrderedKeys,
  load: (key: string) => Json,
  { after, prefix = '', where = [], limit }: RowQuery,
): RowPage {
  const rows: Row[] = []
  let last = ''
  let lookedAt = 0
  for (const key of keys.walk(firstKey(after, prefix))) {
    if (!key.startsWith(prefix)) break
    if (rows.length >= limit || lookedAt >= rowsLookedAtMax) return { rows, next: last }
    const value = load(key)
    if (where.every((condition) => isMet(condition, value))) rows.push({ key, value })
    last = key
    lookedAt++
  }
  return { rows }
}

/** The first key that a page may have. */
export const firstKey = (after: string | undefined, prefix: string): string =>
  // A key with a zero behind it is the next text in the order.
  after === undefined || after < prefix ? prefix : `${after}\0`

/** Whether a row meets a condition. A row that is not a record, or lacks the field, does not. */
export function isMet(condition: Condition, value: Json): boolean {
  const { field } = condition
  if (!isRecord(value) || !Object.hasOwn(value, field)) return false
  const found = value[field]!
  if ('oneOf' in condition) return condition.oneOf.some((one) => one === found)
  if (typeof found !== 'number') return isRecord(found)
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = condition
  return found >= least && found <= most
}

const isRecord = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
