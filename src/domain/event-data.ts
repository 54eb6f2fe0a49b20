/**
 * The data of an event, on its way through a schema: it is frozen, since it is what is stored, and some schemas change
 * what they are given.
 */
import { ownCopy } from './own-copy.ts'
import { type Checked, check, type Schema } from './schema.ts'

/** Schemas that change their data in place (arktype's `'+': 'delete'`): they get a copy. */
const changingInPlace = new WeakSet<Schema>()

/**
 * Runs the schema of an event on its data as JSON. A schema that refuses frozen data and takes a copy of it is given
 * copies.
 *
 * @param asks whether a schema that refuses the data is asked again, with a copy: finding issues takes longer than
 * finding none
 */
export function checkData(schema: Schema, data: unknown, asks = true): Checked {
  if (changingInPlace.has(schema)) return check(schema, ownCopy('The event', data))
  const checked = check(schema, data)
  if (!asks || checked === 'async' || 'value' in checked || typeof data !== 'object') return checked
  const again = check(schema, ownCopy('The event', data))
  if (again === 'async' || 'issues' in again) return checked
  changingInPlace.add(schema)
  return again
}
