/**
 * Checks the data of an event with its schema. The data is frozen, because it is what is stored, but some schemas
 * change their input in place.
 */
import { ownCopy } from './own-copy.ts'
import { type Checked, check, type Schema } from './schema.ts'

/** Schemas that change their input in place (arktype's `'+': 'delete'`). They get a copy. */
const changingInPlace = new WeakSet<Schema>()
/** Whether there are any. Every event asks for its schema. */
let areAny = false

/**
 * Runs the schema of an event on its data as JSON. If a schema refuses frozen data but accepts a copy, it gets copies
 * from then on.
 *
 * @param asks whether to try again with a copy if the schema refuses the data; finding issues takes longer than finding
 *   none
 */
export function checkData(schema: Schema, data: unknown, asks = true): Checked {
  if (areAny && changingInPlace.has(schema)) return check(schema, ownCopy('The event', data))
  const checked = check(schema, data)
  if (!asks || checked === 'async' || 'value' in checked || typeof data !== 'object') return checked
  const again = check(schema, ownCopy('The event', data))
  if (again === 'async' || 'issues' in again) return checked
  changingInPlace.add(schema)
  areAny = true
  return again
}
