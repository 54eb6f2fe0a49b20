/**
 * What is stored of an event's data, so that what was acknowledged is what is read for ever: always what its schema
 * gives out, never only what the schema could make it of again. Decision 0013 says what else was considered.
 *
 * - Where the schema gives back what it was given, as JSON, that is stored. Most events are of this kind, and cost one
 *   comparison.
 * - Where it gives something else, its output is stored as JSON: with defaults, trimmed, without the keys that it
 *   strips.
 * - Where the schema does not take its own output (a text that becomes a number or a Map), the output is stored under a
 *   mark, `{ "$output": ... }`, and is read without the schema.
 * - What can be stored in neither way (an instance of a class, bytes) is refused.
 *
 * The schema runs twice at most, for any data; what is done with the data takes time in proportion to its size.
 */
import { difference, isItsJson } from './difference.ts'
import { decode, encode } from './encoding.ts'
import { MnemeError } from './error.ts'
import { type AnyEventKind, outputOf } from './event.ts'
import type { Json, JsonCopier, JsonObject } from './json.ts'
import { isMarked, isRead, reread } from './reread.ts'

/** An event's data in its two forms. */
export interface StoredForm {
  readonly stored: Json
  /** What is handed out: now, and whenever the stored form is read. */
  readonly output: unknown
}

/**
 * Checks data that is about to be stored.
 *
 * @param copier sums up the size of what is stored
 * @throws EventError `EVENT_INVALID`; DefinitionError `SCHEMA_ASYNC`; InputError `DATA_NOT_JSON`
 */
export function storedForm(kind: AnyEventKind, given: unknown, copier: JsonCopier): StoredForm {
  const sizeBefore = copier.size
  const input = copier.copy(given, 'The event', kind.type)
  const output = outputOf(kind, input, given)
  if (isCopy(output, input) && !isMarked(input)) return { stored: input, output: input }
  if (isItsJson(output, input) && !isMarked(input)) return { stored: input, output }
  copier.size = sizeBefore
  return plainForm(kind, output, copier) ?? markedForm(kind, output, copier)
}

/**
 * Whether an output is the very record that was given, as most are: it is then handed out as it is stored, and frozen.
 */
function isCopy(output: unknown, input: Json): boolean {
  if (typeof output !== 'object' || output === null || typeof input !== 'object' || input === null) return false
  if (Object.getPrototypeOf(output) !== Object.prototype || Array.isArray(input)) return false
  let count = 0
  for (const key in output) {
    const item: unknown = (output as JsonObject)[key]
    // What is undefined is not there in JSON: it must not count for a key that the schema has stripped.
    if (item === undefined || item !== (input as JsonObject)[key]) return false
    count++
  }
  for (const _ in input) count--
  return count === 0
}

/** The output as JSON, if the schema takes that and the same comes of it. */
function plainForm(kind: AnyEventKind, output: unknown, copier: JsonCopier): StoredForm | undefined {
  const sizeBefore = copier.size
  try {
    const stored = copier.copy(output, 'The event', kind.type)
    if (!isMarked(stored)) {
      const read = reread(kind.revisions.at(-1)!.schema, stored, false)
      const isWhole = isRead(read) && !read.isMore && difference(output, read.value) === undefined
      if (isWhole) return { stored, output: read.value }
    }
  } catch (error) {
    // It has no JSON. What a `toJSON` of the user's throws says no more than that.
    if (error instanceof MnemeError && error.code !== 'DATA_NOT_JSON') throw error
  }
  copier.size = sizeBefore
  return undefined
}

/**
 * @throws InputError `DATA_NOT_JSON` for an instance of a class, say: only the schema could make it again, and perhaps
 * another one
 */
function markedForm(kind: AnyEventKind, output: unknown, copier: JsonCopier): StoredForm {
  const $output = encode(`The output of the schema of the event ${kind.type}`, output)
  const stored = copier.copy({ $output }, 'The event', kind.type)
  // What is read is told: a property that is undefined is not there, for one thing.
  return { stored, output: decode($output) }
}
