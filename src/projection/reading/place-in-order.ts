/**
 * Where a row is in the order of a query, and the cursors that are made of that. No two rows of a projection are at the
 * same place, so a page that begins after a place leaves out no row and repeats none. A row whose fields change between
 * two pages may move from one to the other.
 */

import { InputError } from '../../domain/error.ts'
import { fieldOf, type Ordering } from '../../domain/field-path.ts'
import { isOrderKey, isOrderKeyOfRow, orderKey, orderKeyOfRow } from '../stored/order-key.ts'

/** The order keys of the ordered fields, then that of the row's key. */
export type PlaceInOrder = readonly string[]

/** Where a row is. */
export const placeOf = (ordering: readonly Ordering[], key: string, row: unknown): PlaceInOrder => [
  ...ordering.map(({ field }) => orderKey(fieldOf(row, field))),
  orderKeyOfRow(key),
]

/** Compares places: negative if the first one comes first. */
export function comparePlaces(ordering: readonly Ordering[]): (a: PlaceInOrder, b: PlaceInOrder) => number {
  const signs = [...ordering.map(({ sign }) => sign), keySign(ordering)]
  return (a, b) => {
    for (const [i, sign] of signs.entries()) {
      if (a[i] !== b[i]) return a[i]! < b[i]! ? -sign : sign
    }
    return 0
  }
}

/** The keys are in the direction of the last field. */
export const keySign = (ordering: readonly Ordering[]): 1 | -1 => ordering.at(-1)?.sign ?? 1

/** A cursor: the order that it belongs to, and the place. It is made of letters, digits, `-` and `_`. */
export function cursorOf(ordering: readonly Ordering[], place: PlaceInOrder): string {
  const json = JSON.stringify([nameOf(ordering), ...place])
  const ascii = json.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return btoa(ascii).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * The place of a cursor, which usually comes from a client.
 *
 * @throws InputError `CURSOR_INVALID` if it is none, or belongs to another order
 */
export function placeOfCursor(ordering: readonly Ordering[], cursor: string): PlaceInOrder {
  const [name, ...place] = partsOf(cursor)
  const isPlace = place.length === ordering.length + 1 && isOrderKeyOfRow(place.at(-1)!)
  const isOrdered = name === nameOf(ordering) && isPlace && place.slice(0, -1).every(isOrderKey)
  // One place has one cursor. A text that is only read as the same place was altered.
  if (isOrdered && cursorOf(ordering, place) === cursor) return place
  throw new InputError('CURSOR_INVALID', { cursor })
}

function partsOf(cursor: string): readonly string[] {
  try {
    const parts: unknown = JSON.parse(atob(cursor.replaceAll('-', '+').replaceAll('_', '/')))
    if (Array.isArray(parts) && parts.every((part) => typeof part === 'string')) return parts
  } catch {
    // It is not a cursor.
  }
  return []
}

const nameOf = (ordering: readonly Ordering[]): string =>
  JSON.stringify(ordering.map(({ field, sign }) => [field, sign]))
