/**
 * Schemas with personal fields. Such a schema takes plain or personal values in these fields, checks the plain values
 * with the schema inside, and gives out `Personal` values. Its issues show no personal value.
 *
 * If a value is forgotten, the schema inside cannot check it. It then only checks the rest: data in which nothing else
 * is wrong is given out as it is stored.
 */
import { difference } from './difference.ts'
import { DefinitionError } from './error.ts'
import { wordsOf } from './error-words.ts'
import { checkId } from './id.ts'
import { isPlain, type Json } from './json.ts'
import { checkKeys, listExpected } from './options.ts'
import { changed, forgotten, Personal, personalFrom, plainOf, textOf } from './personal.ts'
import { type FieldTree, putAt, replaceFields, treeOf } from './personal-fields.ts'
import { personalJsonSchema } from './personal-json-schema.ts'
import type { MayBePersonal, PersonalField, WithPersonal } from './personal-types.ts'
import { Another } from './private-mark.ts'
import { type AnySchema, check, type In, isSchema, type Out, type Schema } from './schema.ts'
import { isAnyBox, SealedValue, valueIn } from './sealed-value.ts'
import type { StandardSchemaV1 } from './standard-schema.ts'

/** Whose data it is, and which fields are personal. */
export interface PersonalDeclaration<Data, Field extends string> {
  /**
   * The subject: an id of the person, such as a customer number. It is stored in clear, so it must not itself be
   * personal, like an e-mail address. It is made from the other fields: the personal ones are absent.
   */
  readonly subject: (data: Data) => string
  /** The personal fields: `email`, `address.city`, or `contacts.email` for each item of a list. */
  readonly fields: readonly Field[]
}

/** What is known of a schema with personal fields. */
interface Declared {
  readonly inner: Schema
  readonly subject: (data: any) => string
  /** The fields of this declaration. */
  readonly own: FieldTree
  /** The fields of this declaration and of those inside. */
  readonly all: FieldTree
  readonly fields: readonly string[]
}

/**
 * Marks a schema with personal fields. Every command asks for its schema and for those of its events, so a program
 * without personal fields need not look at each.
 */
class Declaration extends Another {
  static #isUsed = false
  readonly #declared: Declared

  constructor(schema: Schema, declared: Declared) {
    super(schema)
    this.#declared = declared
    Declaration.#isUsed = true
  }

  static of(schema: Schema): Declared | undefined {
    return Declaration.#isUsed && #declared in schema ? schema.#declared : undefined
  }
}

/** Whether some fields of a schema are personal. */
export const hasPersonal = (schema: Schema): boolean => Declaration.of(schema) !== undefined

/**
 * A schema for a command, or for a revision of an event, with personal fields. For the first schema of an event there
 * is `event(...).personal(...)`.
 *
 *     .command('register', personal(Registration, { subject: ({ customer }) => customer, fields: ['email'] }), decide)
 *
 * @throws DefinitionError
 */
export function personal<S extends AnySchema, const Field extends PersonalField<Out<S>>>(
  schema: S,
  declaration: PersonalDeclaration<Out<S>, Field>,
): StandardSchemaV1<MayBePersonal<In<S>, Field>, WithPersonal<Out<S>, Field>> {
  return personalSchema('personal(schema, declaration)', schema, declaration)
}

/** @param where for messages */
export function personalSchema(where: string, schema: AnySchema, declaration: PersonalDeclaration<any, string>): any {
  checkKeys(where, declaration, ['subject', 'fields'])
  if (!isSchema(schema)) invalid(where, 'its schema does not implement Standard Schema')
  const { subject, fields } = declaration
  if (typeof subject !== 'function') invalid(where, 'its subject must be a function that returns an id')
  const isNames = Array.isArray(fields) && fields.length > 0 && fields.every((field) => typeof field === 'string')
  if (!isNames) invalid(where, `its fields are ${listExpected(fields, 'names of fields')}`)
  const all = [...fields, ...(Declaration.of(schema)?.fields ?? [])]
  const declared: Declared = { inner: schema, subject, own: treeOf(fields), all: treeOf(all), fields: all }
  const made: Schema = {
    '~standard': Object.freeze({
      version: 1 as const,
      vendor: 'mneme',
      validate: (value: unknown) => validate(declared, value),
      ...personalJsonSchema(schema, declared.own),
    }),
  }
  new Declaration(made, declared)
  return Object.freeze(made)
}

function invalid(where: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where, reason })
}

const noFields: FieldTree = Object.freeze([])

/** All personal fields of a schema. */
export const fieldsOf = (schema: Schema): FieldTree => Declaration.of(schema)?.all ?? noFields

/** The names of all personal fields of a schema. */
export const personalFieldsOf = (schema: Schema): readonly string[] => Declaration.of(schema)?.fields ?? []

/** The data with other personal values. */
export const replacePersonal = (
  schema: Schema,
  data: unknown,
  replace: (value: SealedValue, place: string) => SealedValue,
): unknown =>
  replaceFields(data, fieldsOf(schema), (item, place) => (SealedValue.is(item) ? replace(item, place) : item))

/** Whether stored data holds a personal value in a field that the schema does not declare: a newer program does. */
export const hasUndeclaredPersonal = (schema: Schema, data: Json): boolean =>
  hasBox(replaceFields(data, fieldsOf(schema), () => undefined))

const hasBox = (json: unknown): boolean =>
  typeof json === 'object' && json !== null && (isAnyBox(json) || Object.values(json).some(hasBox))

/** The data as it is, but with personal values in its personal fields. */
export function withPersonalValues(schema: Schema, data: unknown): unknown {
  if (!hasPersonal(schema)) return data
  const fields = fieldsOf(schema)
  const checked = check(schema, data)
  if (checked === 'async' || 'issues' in checked) return data
  const subjects = new Map<string, string>()
  replaceFields(checked.value, fields, (item, place) => {
    if (SealedValue.is(item)) subjects.set(place, item.subject)
    return item
  })
  return replaceFields(data, fields, (item, place) => {
    const subject = subjects.get(place)
    if (sealedOf(item) !== undefined) return item
    return subject === undefined ? undefined : Personal.of(subject, item)
  })
}

/** The values of the personal fields of some data. */
export function personalIn(schema: Schema, data: unknown): readonly SealedValue[] {
  const fields = fieldsOf(schema)
  // As long as it gets without lists: a list that grows begins with room for many.
  const found: SealedValue[] = new Array(fields.length)
  let count = 0
  replaceFields(data, fields, (value) => {
    if (SealedValue.is(value)) found[count++] = value
    return value
  })
  found.length = count
  return found
}

/**
 * Whether data has parts that JSON would turn into something else, such as dates. Then only its own form restores it.
 */
export function hasTypes(data: unknown): boolean {
  if (typeof data !== 'object' || data === null || SealedValue.is(data)) return false
  if (Array.isArray(data)) return data.some(hasTypes)
  if (!isPlain(data)) return true
  for (const key in data) {
    const item = (data as Readonly<Record<string, unknown>>)[key]
    if (typeof item === 'object' && hasTypes(item)) return true
  }
  return false
}

/** Whether stored data is read. Plain values in it were stored before their field was declared as personal. */
let isReading = false

/** Runs a schema on stored data. */
export function onStored<Result>(run: () => Result): Result {
  const before = isReading
  isReading = true
  try {
    return run()
  } finally {
    isReading = before
  }
}

type Result = StandardSchemaV1.Result<unknown>

/** A personal value that a field had before the schema, and what it reads as. */
interface Held {
  readonly sealed: SealedValue
  readonly plain: unknown
}
interface Found {
  readonly held: Map<string, Held>
  /** Whether any of them reads as forgotten. */
  isLost: boolean
}

const nothingFound: Found = { held: new Map(), isLost: false }

function validate(declared: Declared, value: unknown): Result | Promise<Result> {
  let found: Found | undefined
  const unboxed = replaceFields(value, declared.own, (item, place) => {
    const sealed = sealedOf(item)
    if (sealed === undefined) return item
    const plain = plainOf(sealed)
    // It has served its purpose: from now on only the key gives it back.
    SealedValue.release(sealed)
    found ??= { held: new Map(), isLost: false }
    found.held.set(place, { sealed, plain })
    if (plain !== forgotten) return plain
    found.isLost = true
    return undefined
  })
  return checked(declared, unboxed, found ?? nothingFound)
}

function checked(declared: Declared, unboxed: unknown, found: Found): Result | Promise<Result> {
  let result: Result | Promise<Result>
  try {
    result = declared.inner['~standard'].validate(unboxed)
  } catch {
    return { issues: [{ message: `the schema threw an error, ${leftOut}` }] }
  }
  if (result instanceof Promise) return result
  if (result.issues === undefined) return output(declared, result.value, found)
  const lost = [...found.held].flatMap(([place, { plain }]) => (plain === forgotten ? [place] : []))
  const places = result.issues.map(placeOf)
  const isOnlyLost = places.every((place) => lost.some((each) => place === each || place.startsWith(`${each}.`)))
  if (lost.length > 0 && isOnlyLost) return output(declared, unboxed, found)
  const plains: unknown[] = []
  replaceFields(unboxed, declared.own, (item) => plains.push(item) && item)
  return { issues: result.issues.map((issue, i) => discreet(declared, issue, places[i]!, plains)) }
}

/** The personal value that a field holds: itself, or in its box. */
function sealedOf(item: unknown): SealedValue | undefined {
  if (SealedValue.is(item)) return item
  return typeof item === 'object' && item !== null ? valueIn(item) : undefined
}

/** The data with personal values in its personal fields. */
function output(declared: Declared, data: unknown, found: Found): Result {
  let subject: string | undefined
  let objection: string | undefined
  const wrapped = replaceFields(data, declared.own, (item, place): unknown => {
    if (SealedValue.is(item) || item === undefined) return item
    const before = beforeAt(found, place, item)
    if (before !== undefined) return before
    try {
      subject ??= subjectOf(declared, data)
      return personalFrom({ subject, text: textOf(item), isClear: isReading })
    } catch (error) {
      objection ??= wordsOf(error)
      return item
    }
  })
  if (objection !== undefined) return { issues: [{ message: objection }] }
  if (!found.isLost) return { value: wrapped }
  let whole = wrapped
  for (const [place, { sealed, plain }] of found.held) if (plain === forgotten) whole = putAt(whole, place, sealed)
  return { value: whole }
}

/** The personal value that a field had before the schema. If the schema has changed it, one with the same key. */
function beforeAt(found: Found, place: string, item: unknown): SealedValue | undefined {
  const before = found.held.get(place)
  if (before === undefined || before.plain === forgotten) return undefined
  const isSame = difference(before.plain, item) === undefined
  return isSame ? before.sealed : changed(before.sealed, item)
}

function subjectOf({ subject, own }: Declared, data: unknown): string {
  let found: unknown
  try {
    found = subject(replaceFields(data, own, () => undefined))
  } catch {
    throw new TypeError(`the subject of its personal fields could not be made: the function threw an error, ${leftOut}`)
  }
  checkId('the subject of personal fields', found)
  return found
}

const leftOut = 'which is left out here, because it may show personal data'

const placeOf = ({ path = [] }: StandardSchemaV1.Issue): string =>
  Array.from(path, (part) => String(typeof part === 'object' ? part.key : part)).join('.')

/** An issue that shows no personal value. */
function discreet(
  { own }: Declared,
  issue: StandardSchemaV1.Issue,
  place: string,
  plains: readonly unknown[],
): StandardSchemaV1.Issue {
  const isPersonal = isPersonalAt(own, place.split('.'))
  const shows = () => plains.some((plain) => shownIn(issue.message, plain))
  if (!isPersonal && !shows()) return issue
  return { ...issue, message: 'it is not valid (the reason is left out, because it may show personal data)' }
}

/** Whether a place is a personal field, or within one. */
function isPersonalAt(tree: FieldTree, place: readonly string[]): boolean {
  const [first, ...rest] = place.filter((name) => !/^\d+$/.test(name))
  const branch = tree.find(({ name }) => name === first)
  if (branch === undefined) return false
  return branch.within === undefined || isPersonalAt(branch.within, rest)
}

/** Whether a message shows a value, or a part of it. */
function shownIn(message: string, plain: unknown): boolean {
  if (typeof plain === 'string') return plain.length > 1 && message.includes(plain)
  if (typeof plain === 'number') return message.includes(String(plain))
  if (typeof plain !== 'object' || plain === null) return false
  return Object.values(plain).some((part) => shownIn(message, part))
}
