/**
 * What is stored of an event's data, so that what was acknowledged is what is read for ever.
 *
 * Where the schema gives back what it was given, that is stored; most events are of this kind, and cost one comparison. Else the first
 * of three forms is stored for which the schema gives the same output once more:
 *
 * - its output, as JSON: with the defaults that it has filled in, without the keys that it strips, trimmed;
 * - the input with the defaults that the schema has filled in, where the output is something that the schema does not take (a text that
 *   becomes a number);
 * - the input, where the schema does not take that either.
 *
 * An input is stored without the keys that are not in the output and make no difference to it. If there is no such form, nobody
 * could rely on the event: it is refused.
 *
 * Every event is compared, since what a schema does depends on the data. A schema that reads the clock gives the same twice within a
 * millisecond; so the first time that it changes data in a certain way (the same keys added, lost or changed), the forms are tried in another
 * millisecond, and later events that are changed in this way take the form that was found then. Not found is what changes more slowly than
 * the clock: a schema that reads the date or a setting.
 */
import { awaitAnotherMoment } from './another-moment.ts'
import { asJson, type Change, changesOf, filled, placesOf, without } from './changes.ts'
import { difference, isItsJson, isTransparent } from './difference.ts'
import { EventError } from './error.ts'
import { type AnyEventKind, outputOf } from './event.ts'
import { checkData } from './event-data.ts'
import type { Json, JsonCopier } from './json.ts'
import type { Schema } from './schema.ts'

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
 * @throws EventError `EVENT_INVALID`, `SCHEMA_UNSTABLE`; DefinitionError `SCHEMA_ASYNC`; InputError `DATA_NOT_JSON`
 */
export function storedForm(kind: AnyEventKind, given: unknown, copier: JsonCopier): StoredForm {
  const sizeBefore = copier.size
  const input = copier.copy(given, 'The event', kind.type)
  const output = outputOf(kind, input, given)
  if (isItsJson(output, input)) return { stored: input, output }
  copier.size = sizeBefore
  return { stored: lastingForm(kind, input, output, copier), output }
}

/** What is stored where a schema changes data in a certain way. */
interface Way {
  readonly form: 'output' | 'filled' | 'input'
  /** The places of keys that only the output has, and the schema makes whatever is stored there. */
  readonly made: ReadonlySet<string>
  /** The places of keys that are left out. */
  readonly dropped: ReadonlySet<string>
}

/** What is known of a schema that changes data. */
interface Habits {
  /** By the changes that it made: what is stored then, or where its output is another each time. */
  readonly ways: Map<string, Way | { readonly unstablePath: string }>
  /** How often another moment was waited for. */
  waits: number
}

const habitsOf = new WeakMap<Schema, Habits>()

/** A schema may make other changes with each event (where keys are data): not every event can be tried in another millisecond. */
const waitsMax = 32

function lastingForm(kind: AnyEventKind, input: Json, output: unknown, copier: JsonCopier): Json {
  const { schema } = kind.revisions.at(-1)!
  const sizeBefore = copier.size
  const changes = changesOf(input, output)
  const habits = habitsOf.get(schema) ?? { ways: new Map(), waits: 0 }
  habitsOf.set(schema, habits)
  let way = habits.ways.get(changes)
  const stored = way !== undefined && 'form' in way ? formOf(way, input, output, copier) : undefined
  if (stored !== undefined && gives(schema, stored, output)) return stored
  if (way === undefined || 'form' in way) {
    const found = find(schema, input, output, changes, habits)
    if (way === undefined && habits.ways.size < waitsMax) habits.ways.set(changes, found)
    way = found
  }
  if ('unstablePath' in way) throw new EventError('SCHEMA_UNSTABLE', { event: kind.type, path: way.unstablePath })
  copier.size = sizeBefore
  return copier.copy(formOf(way, input, output), 'The event', kind.type)
}

/** Tries each form in another moment. */
function find(
  schema: Schema,
  input: Json,
  output: unknown,
  changes: string,
  habits: Habits,
): Way | { readonly unstablePath: string } {
  if (habits.waits < waitsMax) {
    habits.waits++
    awaitAnotherMoment()
  }
  const visible = (change: Change) => (isTransparent(output) ? placesOf(changes, change) : [])
  let way: Way = { form: 'output', made: none, dropped: none }
  const lasts = (other: Way): boolean => {
    const form = formOf(other, input, output)
    return form !== undefined && gives(schema, form, output)
  }
  if (lasts(way)) return way
  way = { ...way, form: 'filled' }
  if (lasts(way)) {
    // Where something else would make no difference, what is there is not read.
    const made = new Set(
      visible('added').filter((place) => gives(schema, filled(input, output, disturbed(place)), output)),
    )
    if (lasts({ ...way, made })) way = { ...way, made }
  } else {
    const unstablePath = differenceIn(schema, input, output)
    if (unstablePath !== undefined) return { unstablePath }
    way = { ...way, form: 'input' }
  }
  for (const place of visible('lost')) {
    const less = { ...way, dropped: new Set([...way.dropped, place]) }
    if (lasts(less)) way = less
  }
  return way
}

const none: ReadonlySet<string> = new Set()

const disturbed = (where: string) => (place: string, value: unknown) =>
  place !== where ? asJson(value) : typeof value === 'object' ? 0 : {}

/** Data as it is stored in a way, if it can be; the copier sums up its size. */
function formOf({ form, made, dropped }: Way, input: Json, output: unknown, copier?: JsonCopier): Json | undefined {
  if (form === 'output') return asJson(output, copier)
  const fill = (place: string, value: unknown) => (made.has(place) ? undefined : asJson(value))
  const whole = form === 'input' ? input : filled(input, output, fill)
  const rest = dropped.size === 0 ? whole : without(whole, output, dropped)
  return copier === undefined ? rest : copier.copy(rest, 'The event', '')
}

const gives = (schema: Schema, data: Json, output: unknown): boolean => differenceIn(schema, data, output) === undefined

/** Where a schema gives another output for some data than a known one. */
function differenceIn(schema: Schema, data: Json, output: unknown): string | undefined {
  const checked = checkData(schema, data)
  return checked !== 'async' && 'value' in checked ? difference(output, checked.value) : ''
}
