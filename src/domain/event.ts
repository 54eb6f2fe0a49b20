/**
 * Kinds of events: a name on disk, the shape it has now, and how every earlier shape is upcast to it. Stored is
 * the newest schema's output (`stored-form.ts`), and handed out is the same, for live and for replayed events alike.
 */
import { awaitAnotherMoment } from './another-moment.ts'
import { changesOf } from './changes.ts'
import { difference } from './difference.ts'
import { DefinitionError, EventError } from './error.ts'
import { checkData } from './event-data.ts'
import { checkId } from './id.ts'
import type { Json, JsonObject } from './json.ts'
import { Another } from './private-mark.ts'
import { isRead, type Read, reread } from './reread.ts'
import { type Checked, check, type In, isSchema, type Out, type Schema } from './schema.ts'
import type { StreamId } from './stream.ts'

/** Arguments of a call whose data may be left out when an empty object would do. */
export type Args<Data> = {} extends Data ? [data?: Data] : [data: Data]

/** A fact that has been decided but not stored. */
export interface NewEvent<Type extends string = string, Data = unknown> {
  readonly type: Type
  readonly data: Data
}

/** A fact with its place in history. */
export interface RecordedEvent<Type extends string = string, Data = unknown> extends NewEvent<Type, Data> {
  readonly stream: StreamId
  /** Place in the stream: 1, 2, 3 ... */
  readonly sequence: number
  /** Place in the global log: 1, 2, 3 ... in commit order. */
  readonly position: number
  readonly recordedAt: Date
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  /** Which shape of the event's data is stored: 1 for the first. `data` is always of the newest. */
  readonly revision: number
  /** The id of the command that made it. */
  readonly commitId: string
}

/**
 * What a kind and all that was made of it by `revise` and `tagged` have in common. Two kinds may have one type, in
 * different aggregates: an event of the log is of the kind that its aggregate declares.
 */
export interface Family {
  readonly type: string
  /** Told by each domain which of its aggregates declare the kind, by their names. */
  readonly declaredBy: (aggregate: string) => void
  /** Whether an event is of this family, as far as that can be known. */
  readonly includes: (event: NewEvent) => boolean
}

/** One shape of an event's data, and the function that makes it from the shape before. */
export interface Revision {
  readonly schema: Schema
  readonly upcast: (previous: any) => unknown
}

/**
 * A kind of event. Calling it makes one. `Type` is the name on disk and never changes; the identifier that it is
 * assigned to may be renamed freely.
 */
export interface EventKind<Type extends string, Input, Output, TaggedBy = unknown> {
  (...args: Args<Input>): NewEvent<Type, Input>
  readonly type: Type
  readonly family: Family
  readonly revisions: readonly Revision[]
  /** The tags that an event of this kind gets besides its command's. */
  readonly tagsOf: ((data: any) => readonly string[]) | undefined
  /**
   * Adds the next shape of this event, and the function that upcasts the shape before it. Tags stay as they were said;
   * where they are made from what the next shape does not have, say `tagged` behind `revise`.
   */
  revise<S extends Schema>(
    schema: S & ([Out<S>] extends [TaggedBy] ? unknown : 'its tags are made from the shape before: say .tagged last'),
    upcast: (previous: Output) => In<S>,
  ): EventKind<Type, In<S>, Out<S>, TaggedBy>
  /** Says which tags such an event gets, from its data (the newest schema's output). They can be filtered by. */
  tagged(tags: (data: Output) => readonly string[]): EventKind<Type, Input, Output, Output>
  /**
   * Whether an event is of this kind, in any of its shapes; narrows it. One of the log is if a domain in this process
   * has an aggregate of the event's that declares the kind; where none does, and for an event that was written by hand,
   * the type alone decides.
   */
  is(event: NewEvent): event is EventOf<EventKind<Type, Input, Output>>
}

export type AnyEventKind = EventKind<string, any, any>
/** The data of a kind of event as it is handed out. */
export type DataOf<Kind> = Kind extends EventKind<string, any, infer Output> ? Output : never
/** The event as `decide` returns it. */
export type NewEventOf<Kind> = Kind extends EventKind<infer Type, infer Input, any> ? NewEvent<Type, Input> : never
/** The event as the store returns it. */
export type EventOf<Kind> = Kind extends EventKind<infer Type, any, infer Output> ? RecordedEvent<Type, Output> : never

/**
 * Defines a kind of event.
 *
 *     export const Deposited = event('MoneyDeposited', z.object({ amount: z.int().positive() }))
 *
 * @throws DefinitionError if the type cannot be a name or the schema is not a Standard Schema
 */
export function event<const Type extends string, S extends Schema>(
  type: Type,
  schema: S,
): EventKind<Type, In<S>, Out<S>> {
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
      is: family.includes,
    }),
  )
}

/** In an event that a kind has made. */
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

/** The family of the kind that has made an event; undefined of one that none has made, or that was copied. */
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
    reason: 'its schema does not speak Standard Schema (zod 3.24+, valibot 1+, arktype 2+ do)',
  })
}

/**
 * Data that is about to be stored, checked against the newest schema: its output.
 *
 * @param data as it is stored
 * @param given as it was decided, before it was made JSON
 * @throws EventError `EVENT_INVALID`, DefinitionError `SCHEMA_ASYNC`
 */
export function outputOf(kind: AnyEventKind, data: Json, given: unknown): unknown {
  const newest = kind.revisions.length - 1
  const checked = checkData(kind.revisions[newest]!.schema, data)
  if (checked !== 'async' && 'value' in checked) return checked.value
  return refuse(kind, checked, isOnlyGood(kind, given) ? notAsJson : 'as decided')
}

/** Why data that is valid as it was decided is not valid as it would be stored: `z.date()` takes no text. */
const notAsJson = 'as JSON, in which it is stored and a Date is a text (z.coerce.date() takes that, z.date() does not),'

function isOnlyGood(kind: AnyEventKind, given: unknown): boolean {
  const checked = check(kind.revisions.at(-1)!.schema, given)
  return checked !== 'async' && 'value' in checked
}

/**
 * Data as it was stored, upcast from its revision to the newest: the newest schema's output.
 *
 * Data of the newest revision is the output that was stored. Where the outcome is more than what is stored (an older
 * revision, a default that the schema did not have when the event was stored), it is made twice: an upcast that makes
 * up a new id each time gives every reader another event.
 *
 * @throws EventError `EVENT_NEWER`, `EVENT_INVALID`, `EVENT_UPCAST_FAILED`, `SCHEMA_UNSTABLE`
 */
export function upcast(kind: AnyEventKind, revision: number, data: Json): unknown {
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
 * An upcast that reads the clock gives the same twice within a millisecond: the first event that is changed in some way
 * waits for another one.
 */
const seenWays = new WeakMap<Revision, Set<string>>()
const waitsMax = 32

function seenBy(newest: Revision): Set<string> {
  const seen = seenWays.get(newest) ?? new Set()
  seenWays.set(newest, seen)
  return seen
}

function read(kind: AnyEventKind, revision: number, data: Json): Read {
  const found = reread(kind.revisions[revision - 1]!.schema, data)
  return isRead(found) ? found : refuse(kind, found, `as stored in revision ${revision}`)
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
