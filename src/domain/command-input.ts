/** Checks the data of a command before it is decided. */
import { difference } from './difference.ts'
import { ownCopy } from './own-copy.ts'
import { type Checked, check, type Schema } from './schema.ts'

/** Schemas that do not accept `undefined`. If data is left out, they get an empty record. */
const takesNoUndefined = new WeakSet<Schema>()

/**
 * Runs the schema of a command on a copy of its data, so that the caller cannot change the data afterwards. Data may be
 * left out: the schema then gets `undefined` if it accepts that (`optional`, `default`), and otherwise an empty record.
 *
 * @param what the data, for messages
 * @throws InputError `DATA_NOT_JSON` for data that is nested too deep
 */
export function checkInput(what: string, schema: Schema, data: unknown): Checked {
  if (data !== undefined) return check(schema, ownCopy(what, data))
  if (!takesNoUndefined.has(schema)) {
    const checked = check(schema, undefined)
    if (checked === 'async' || 'value' in checked) return checked
    takesNoUndefined.add(schema)
  }
  return check(schema, {})
}

/**
 * The data from which the digest of a command is made if its data was left out: an empty record if the schema gives the
 * same output for it, and otherwise `undefined`.
 *
 * @param input the output of the schema for data that was left out
 */
export function leftOutData(schema: Schema, input: unknown): unknown {
  if (takesNoUndefined.has(schema)) return {}
  const empty = check(schema, {})
  const isSame = empty !== 'async' && 'value' in empty && difference(empty.value, input) === undefined
  return isSame ? {} : undefined
}
