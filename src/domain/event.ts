/**
 * Kinds of events. A kind has a name on disk, its newest schema, and upcasts from all earlier ones. The output of the
 * newest schema is what is stored (`stored-form.ts`) and what readers get, for new and for replayed events.
 */
import { awaitAnotherMoment } from './another-moment.ts'
import { changesOf } from './changes.ts'
import { difference } from './difference.ts'
import { DefinitionError, EventError } from './error.ts'
import { checkData } from './event-data.ts'
import { checkId } from './id.ts'
import type { Json, JsonObject } from './json.ts'
import {
  hasPersonal,
  hasUndeclaredPersonal,
  onStored,
  type PersonalDeclaration,
  personalSchema,
} from './personal-schema.ts'
import type { PersonalField, WithPersonal } from './personal-types.ts'
import { Another } from './private-mark.ts'
import { isRead, type Read, reread } from './reread.ts'
import { type AnySchema, type Checked, check, type In, isSchema, type Out, type Schema } from './schema.ts'
import type { StreamId } from './stream.ts'

/** The arguments of a call. Its data may be left out if an empty object is enough. */
export type Args<Data> = {} extends Data ? [data?: Data] : [data: Data]

/** An event that was decided but is not stored yet. */
export interface NewEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly data: Data
}

declare const madeByItsKind: unique symbol

/** An event that its kind made, so its data has the kind's type. */
export interface MadeEvent<Type extends string = string, Data = unknown> extends NewEvent<Type, Data> {
  /** For the compiler only. */
  readonly [madeByItsKind]: true
}

/** A stored event, with its place in the log. */
export interface RecordedEvent<Type extends string = string, Data = unknown> extends NewEvent<Type, Data> {
  readonly stream: StreamId
  /** The number in its stream: 1, 2, 3 ... */
  readonly sequence: number
  /** The number in the log: 1, 2, 3 ... in the order of the commits. */
  readonly position: number
  readonly recordedAt: Date
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  /** The revision in which the event was stored: 1 for the first. `data` is always in the newest. */
  readonly revision: number
  /** The id of the command that made it. */
  readonly commitId: string
}

/**
 * What a kind has in common with all kinds made from it by `revise` and `tagged`. Two kinds in different aggregates may
 * have the same type. A stored event is of the kind that its aggregate declares.
 */
export interface Family {
  readonly type: string
  /** Each domain calls this with the names of its aggregates that declare the kind. */
  readonly declaredBy: (aggregate: string) => void
  /** Whether an event is of this family, as far as this can be known. */
  readonly includes: (event: NewEvent) => boolean
}

/** One revision of an event: its schema, and the upcast from the revision before. */
export interface Revision {
  readonly schema: Schema
  readonly upcast: (previous: any) => unknown
}

declare const input: unique symbol
declare const output: unique symbol

/** Data of which a schema changes the type: what goes in, and what comes out. For the compiler only. */
export interface Parsed<in out Input, in out Output> {
  readonly [input]: Input
  readonly [output]: Output
}

/** The data that a schema describes: one type if it does not change it. Messages and editors then show it once. */
type ParsedBy<S extends AnySchema> =
  (<T>() => T extends In<S> ? 1 : 2) extends <T>() => T extends Out<S> ? 1 : 2 ? Out<S> : Parsed<In<S>, Out<S>>

/** What goes in. */
type InputOf<Data> = Data extends Parsed<any, any> ? Data[typeof input] : Data
/** What comes out. */
type OutputOf<Data> = Data extends Parsed<any, any> ? Data[typeof output] : Data

/**
 * A kind of event. Calling it makes an event. `Type` is the name on disk and must never change. The constant that holds
 * the kind may be renamed. `Data` is the type of its data; `Parsed`, if the schema changes the type.
 */
export interface EventKind<out Type extends string, in out Data, in out TaggedBy = unknown> {
  (...args: Args<InputOf<Data>>): MadeEvent<Type, InputOf<Data>>
  readonly type: Type
  /** What goes into it. For the compiler only, which reads it much faster than it infers it. */
  readonly [input]: InputOf<Data>
  /** What comes out of it. For the compiler only. */
  readonly [output]: OutputOf<Data>
  readonly family: Family
  readonly revisions: readonly Revision[]
  /** The tags that an event of this kind gets in addition to those of its command. */
  readonly tagsOf: ((data: any) => readonly string[]) | undefined
  /**
   * Adds a revision of this event: its schema, and the upcast from the revision before. The tags stay as they are. If
   * they are made from data that the new revision does not have, call `tagged` after `revise`.
   */
  revise<S extends AnySchema>(
    schema: S &
      ([Out<S>] extends [TaggedBy] ? unknown : 'its tags are made from the revision before: call .tagged last'),
    upcast: (previous: OutputOf<Data>) => In<S>,
  ): EventKind<Type, ParsedBy<S>, TaggedBy>
  /**
   * Sets the tags that an event of this kind gets, made from its data (the newest schema's output). Reads can filter by
   * them.
   */
  tagged(tags: (data: OutputOf<Data>) => readonly string[]): EventKind<Type, Data, OutputOf<Data>>
  /**
   * Declares fields of the newest revision as personal. Their values are `Personal`, stored encrypted with a key of the
   * subject, until `forget(subject)` destroys it. Tags are made without them: call `tagged` afterwards.
   *
   *     event('Registered', schema).personal({ subject: ({ customer }) => customer, fields: ['email', 'address.city']
   * })
   *
   * @throws DefinitionError
   */
  personal<const Field extends PersonalField<OutputOf<Data>>>(
    declaration: PersonalDeclaration<OutputOf<Data>, Field>,
  ): EventKind<Type, PersonalIn<Data, Field>, TaggedBy>
  /**
   * Whether an event is of this kind, in any revision. It narrows the type. A stored event is of this kind if its
   * aggregate declares the kind in a domain of this process. If no aggregate declares the kind, or if the event was
   * written by hand, only the type is compared.
   */
  is(event: NewEvent): event is RecordedEvent<Type, OutputOf<Data>>
}

/** The data with personal fields. */
type PersonalIn<Data, Field extends string> =
  Data extends Parsed<infer Input, infer Output>
    ? Parsed<WithPersonal<Input, Field>, WithPersonal<Output, Field>>
    : WithPersonal<Data, Field>

export type AnyEventKind = EventKind<string, any, any>
/** The data of a kind of event, as readers get it. */
export type DataOf<Kind extends AnyEventKind> = Kind[typeof output]
/** The event as `decide` returns it. */
export type NewEventOf<Kind> = Kind extends AnyEventKind ? MadeEvent<Kind['type'], Kind[typeof input]> : never
/** The event as the store returns it. */
export type EventOf<Kind> = Kind extends AnyEventKind ? RecordedEvent<Kind['type'], Kind[typeof output]> : never

/**
 * Defines a kind of event.
 *
 *     export const Deposited = event('MoneyDeposited', z.object({ amount: z.int().positive() }))
 *
 * @throws DefinitionError if the type cannot be a name or the schema is not a Standard Schema
 */
export function event<const Type extends string, S extends AnySchema>(
  type: Type,
  schema: S,
): EventKind<Type, ParsedBy<S>> {
  checkId('the type of an event', type)
  return kind(familyOf(type), [{ schema: checkSchema(type, schema), upcast: (data) => data }], undefined)
}

function kind(family: Family, revisions: readonly Revision[], tagsOf: AnyEventKind['tagsOf']): any {
  const { type } = family
  const make = (data: unknown = {}): NewEvent => {
    const made = { type, data }
    new Claim(made, family)
    return made
  }
  return Object.freeze(
    Object.assign(make, {
      type,
      family,
      revisions: Object.freeze(revisions),
      tagsOf,
      revise: (schema: Schema, upcast: Revision['upcast']) =>
        kind(family, [...revisions, Object.freeze({ schema: checkSchema(type, schema), upcast })], tagsOf),
      tagged: (tags: AnyEventKind['tagsOf']) => kind(family, revisions, tags),
      personal(declaration: PersonalDeclaration<any, string>) {
        const where = `The event ${type}`
        if (tagsOf !== undefined) {
          const reason = 'its tags were made from data without personal fields: call .tagged after .personal'
          throw new DefinitionError('DEFINITION_INVALID', { where, reason })
        }
        const { schema, upcast } = revisions.at(-1)!
        const newest = Object.freeze({ schema: personalSchema(where, schema, declaration), upcast })
        return kind(family, [...revisions.slice(0, -1), newest], tagsOf)
      },
      is: family.includes,
    }),
  )
}

/** Marks an event with the family of the kind that made it. */
class Claim extends Another {
  readonly #family: Family

  constructor(event: object, family: Family) {
    super(event)
    this.#family = family
  }

  static of(event: object): Family | undefined {
    return #family in event ? event.#family : undefined
  }
}

/** The family of the kind that made an event; `undefined` if no kind made it, or if it is a copy. */
export const makerOf = (event: object): Family | undefined => Claim.of(event)

function familyOf(type: string): Family {
  const aggregates = new Set<string>()
  const family: Family = Object.freeze({
    type,
    declaredBy: (aggregate: string) => void aggregates.add(aggregate),
    includes(event: NewEvent) {
      if (event.type !== type) return false
      const maker = makerOf(event)
      if (maker !== undefined) return maker === family
      const { stream } = event as Partial<RecordedEvent>
      return stream === undefined || aggregates.size === 0 || aggregates.has(stream.aggregate)
    },
  })
  return family
}

function checkSchema(type: string, schema: unknown): Schema {
  if (isSchema(schema)) return schema
  throw new DefinitionError('DEFINITION_INVALID', {
    where: `The event ${type}`,
    reason: 'its schema does not implement Standard Schema (zod 3.24+, valibot 1+ and arktype 2+ do)',
  })
}

/**
 * The output of the newest schema for data that is about to be stored.
 *
 * @param data the data as JSON
 * @param given the same data as it was decided
 * @throws EventError `EVENT_INVALID`, DefinitionError `SCHEMA_ASYNC`
 */
export function outputOf(kind: AnyEventKind, data: Json, given: unknown): unknown {
  const newest = kind.revisions.length - 1
  const checked = checkData(kind.revisions[newest]!.schema, data)
  if (checked !== 'async' && 'value' in checked) return checked.value
  return refuse(kind, checked, isGoodAsDecided(kind, given) ? notAsJson : 'as decided')
}

/** The reason if data is valid as decided, but not as JSON. For instance, `z.date()` does not accept a string. */
const notAsJson = 'as JSON, in which a Date is a string (z.coerce.date() accepts it, z.date() does not),'

function isGoodAsDecided(kind: AnyEventKind, given: unknown): boolean {
  const checked = check(kind.revisions.at(-1)!.schema, given)
  return checked !== 'async' && 'value' in checked
}

/**
 * Reads stored data, and upcasts it to the newest revision.
 *
 * Data of the newest revision is returned as it was stored. If something has to be added (an older revision is upcast,
 * or the schema has a default that it did not have when the event was stored), the result is made twice and compared.
 * An upcast that makes a new id each time would give every reader a different event.
 *
 * @throws EventError `EVENT_NEWER`, `EVENT_INVALID`, `EVENT_UPCAST_FAILED`, `SCHEMA_UNSTABLE`
 */
export function upcast(kind: AnyEventKind, revision: number, data: Json): unknown {
  return isPersonal(kind) ? onStored(() => upcastStored(kind, revision, data)) : upcastStored(kind, revision, data)
}

/** Whether a kind of event has personal fields, in any revision. */
export const isPersonal = ({ revisions }: AnyEventKind): boolean => {
  for (const { schema } of revisions) if (hasPersonal(schema)) return true
  return false
}

function upcastStored(kind: AnyEventKind, revision: number, data: Json): unknown {
  const known = kind.revisions.length
  if (revision > known) throw new EventError('EVENT_NEWER', { event: kind.type, revision, known })
  const { value, isMore } = read(kind, revision, data)
  if (revision === known && !isMore) return value
  const output = upcastFrom(kind, revision, value)
  const seen = seenBy(kind.revisions[known - 1]!)
  const way = `${revision} ${changesOf(data, output)}`
  const isFirst = !seen.has(way) && seen.size < waitsMax
  if (isFirst) awaitAnotherMoment()
  const path = difference(output, upcastFrom(kind, revision, read(kind, revision, data).value))
  if (path !== undefined) throw new EventError('SCHEMA_UNSTABLE', { event: kind.type, path })
  if (isFirst) seen.add(way)
  return output
}

/**
 * The ways in which data was changed so far. An upcast that reads the clock gives the same value twice within a
 * millisecond. The first event that is changed in a new way therefore waits for the next millisecond.
 */
const seenWays = new WeakMap<Revision, Set<string>>()
const waitsMax = 32

function seenBy(newest: Revision): Set<string> {
  const seen = seenWays.get(newest) ?? new Set()
  seenWays.set(newest, seen)
  return seen
}

function read(kind: AnyEventKind, revision: number, data: Json): Read {
  const { schema } = kind.revisions[revision - 1]!
  const found = reread(schema, data)
  if (isRead(found)) return found
  // A field may become personal without a new revision. This program is too old for that, and its schema is good.
  if (hasUndeclaredPersonal(schema, data))
    throw new EventError('EVENT_NEWER', { event: kind.type, revision, known: kind.revisions.length })
  return refuse(kind, found, `as stored in revision ${revision}`)
}

function upcastFrom(kind: AnyEventKind, revision: number, read: unknown): unknown {
  let output = read
  for (let next = revision; next < kind.revisions.length; next++) {
    let upcastData: unknown
    try {
      upcastData = kind.revisions[next]!.upcast(output)
    } catch (cause) {
      throw new EventError('EVENT_UPCAST_FAILED', { event: kind.type, revision: next + 1 }, cause)
    }
    output = run(kind, next, upcastData, `as upcast to revision ${next + 1}`)
  }
  return output
}

function run(kind: AnyEventKind, index: number, data: unknown, where: string): unknown {
  const checked = checkData(kind.revisions[index]!.schema, data)
  return checked !== 'async' && 'value' in checked ? checked.value : refuse(kind, checked, where)
}

function refuse(kind: AnyEventKind, checked: Exclude<Checked, { readonly value: unknown }>, where: string): never {
  if (checked === 'async') throw new DefinitionError('SCHEMA_ASYNC', { where: `the event ${kind.type}` })
  throw new EventError('EVENT_INVALID', { event: kind.type, where, issues: checked.issues })
}
