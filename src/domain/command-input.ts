/** The data of a command, on its way from the caller to the decision. */
import { difference } from './difference.ts'
import { ownCopy } from './own-copy.ts'
import { type Checked, check, type Schema } from './schema.ts'

/** Schemas of commands that do not take `undefined`: an empty record stands for data that was left out. */
const takesNoUndefined = new WeakSet<Schema>()

/**
 * Runs the schema of a command on a copy of its data, so that the caller cannot change what is passed on. Where data is
 * left out, the schema may say so itself (`optional`, `default`); if it does not, it gets an empty record.
 *
 * @param what the data, for messages
 * @throws InputError `DATA_NOT_JSON` for data that is nested without end
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
 * What stands for data that was left out, as it is told from that of another command: an empty record, if the schema
 * makes the same of both.
 *
 * @param input what the schema has made of nothing
 */
export function leftOutData(schema: Schema, input: unknown): unknown {
  if (takesNoUndefined.has(schema)) return {}
  const empty = check(schema, {})
  const isSame = empty !== 'async' && 'value' in empty && difference(empty.value, input) === undefined
  return isSame ? {} : undefined
}
