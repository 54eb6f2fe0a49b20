/**
 * Decides how the data of an event is stored. The output of the schema is stored, so readers always get what was
 * acknowledged, even if the schema changes. Decision 0013 describes the alternatives.
 *
 * - If the output equals the input as JSON, the input is stored. Most events are like this, and need one comparison.
 * - If it differs, the output is stored as JSON: with defaults, trimmed, without stripped keys.
 * - If the schema does not accept its own output (it turns a string into a number or a Map), the output is stored under
 *   a mark, `{ "$output": ... }`, and is read without the schema.
 * - Data in which something looks like a personal value (a record of the user with the key `$personal`) is stored under
 *   the mark, where keys of the user cannot be taken for ours. Otherwise anybody who may send JSON could make an event
 *   that nobody can read, or have the box of another value opened.
 * - Data with personal fields can be read when these are forgotten, but its schema cannot check it then. So if it has
 *   dates and the like, its output is stored under the mark too.
 * - Output that can be stored in neither way (an instance of a class, bytes) is refused.
 *
 * The schema runs at most twice. All other work takes time in proportion to the size of the data.
 */
import { difference, isItsJson } from './difference.ts'
import { decode, encode } from './encoding.ts'
import { MnemeError } from './error.ts'
import { type AnyEventKind, outputOf } from './event.ts'
import type { Json, JsonCopier, JsonObject } from './json.ts'
import { hasPersonal, hasTypes } from './personal-schema.ts'
import { isMarked, isRead, reread } from './reread.ts'

/** An event's data in its two forms. */
export interface StoredForm {
  readonly stored: Json
  /** What callers get now, and readers get later. */
  readonly output: unknown
}

/**
 * Checks data that is about to be stored.
 *
 * @param copier adds up the size of the stored data
 * @throws EventError `EVENT_INVALID`; DefinitionError `SCHEMA_ASYNC`; InputError `DATA_NOT_JSON`
 */
export function storedForm(kind: AnyEventKind, given: unknown, copier: JsonCopier): StoredForm {
  const sizeBefore = copier.size
  const isPersonal = hasPersonal(kind.revisions[kind.revisions.length - 1]!.schema)
  copier.takesPersonal = isPersonal
  copier.looksPersonal = false
  const input = copier.copy(given, 'The event', kind.type)
  const output = outputOf(kind, input, given)
  if (copier.looksPersonal || (isPersonal && hasTypes(output))) {
    copier.size = sizeBefore
    return markedForm(kind, output, copier)
  }
  if (isCopy(output, input) && !isMarked(input)) return { stored: input, output: input }
  if (isItsJson(output, input) && !isMarked(input)) return { stored: input, output }
  copier.size = sizeBefore
  return plainForm(kind, output, copier) ?? markedForm(kind, output, copier)
}

/**
 * Whether an output has exactly the items of the input, as most have. Callers then get the stored, frozen object
 * itself.
 */
function isCopy(output: unknown, input: Json): boolean {
  if (typeof output !== 'object' || output === null || typeof input !== 'object' || input === null) return false
  if (Object.getPrototypeOf(output) !== Object.prototype || Array.isArray(input)) return false
  let count = 0
  for (const key in output) {
    const item: unknown = (output as JsonObject)[key]
    // A key with `undefined` is absent in JSON. It must not make up for a key that the schema has stripped.
    if (item === undefined || item !== (input as JsonObject)[key]) return false
    count++
  }
  for (const _ in input) count--
  return count === 0
}

/** The output as JSON, if the schema accepts that JSON and gives the same output again. */
function plainForm(kind: AnyEventKind, output: unknown, copier: JsonCopier): StoredForm | undefined {
  const sizeBefore = copier.size
  try {
    const stored = copier.copy(output, 'The event', kind.type)
    if (!isMarked(stored) && !copier.looksPersonal) {
      const read = reread(kind.revisions.at(-1)!.schema, stored, false)
      const isWhole = isRead(read) && !read.isMore && difference(output, read.value) === undefined
      if (isWhole) return { stored, output: read.value }
    }
  } catch (error) {
    // The output has no JSON. An error from a `toJSON` of the user means the same.
    if (error instanceof MnemeError && error.code !== 'DATA_NOT_JSON') throw error
  }
  copier.size = sizeBefore
  return undefined
}

/**
 * The output under a mark.
 *
 * @throws InputError `DATA_NOT_JSON` for an output such as an instance of a class: only the schema could make it again,
 *   and perhaps a different one
 */
function markedForm(kind: AnyEventKind, output: unknown, copier: JsonCopier): StoredForm {
  const $output = encode(`The output of the schema of the event ${kind.type}`, output)
  const stored = copier.copy({ $output }, 'The event', kind.type)
  // Callers get what readers will get. For instance, a property that is `undefined` is absent.
  return { stored, output: decode($output) }
}
