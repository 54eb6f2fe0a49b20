/**
 * How Mneme uses a validator: synchronously, with all issues collected and turned into plain `{ path, message }`.
 * What is stored of an event, and handed out, is the schema's output (`stored-form.ts`).
 */
import type { StandardSchemaV1 } from './standard-schema.ts'

/** Any validator that speaks Standard Schema: zod, valibot, arktype, Effect Schema and others. */
export type Schema = StandardSchemaV1<any, any>
/** What goes into a schema: the type that a decision gives. */
export type In<S extends Schema> = StandardSchemaV1.InferInput<S>
/** What comes out of a schema: the type that is stored, as JSON, and handed out. */
export type Out<S extends Schema> = StandardSchemaV1.InferOutput<S>

/** One thing that is wrong with some data, e.g. `{ path: 'address.zip', message: 'Too small' }`. */
export interface Issue {
  readonly path: string
  readonly message: string
}

/** What a validation found: the schema's output, all issues, or that the schema is asynchronous. */
export type Checked = { readonly value: unknown } | { readonly issues: readonly Issue[] } | 'async'

/** Runs a schema on a value. Never throws: a schema that throws is an issue at the root. */
export function check(schema: Schema, value: unknown): Checked {
  let result: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>
  try {
    result = schema['~standard'].validate(value)
  } catch (thrown) {
    return { issues: [{ path: '', message: `the schema threw: ${thrown instanceof Error ? thrown.message : thrown}` }] }
  }
  if (result instanceof Promise) {
    result.catch(() => {})
    return 'async'
  }
  return result.issues ? { issues: result.issues.map(plain) } : (result as { value: unknown })
}

/** Issues that are listed in one line; the error's facts have them all. */
const listedMax = 10

/** Says issues in one line: `amount: Too small; owner: Required`. */
export function describe(issues: readonly Issue[]): string {
  const listed = issues.slice(0, listedMax).map(({ path, message }) => (path ? `${path}: ${message}` : message))
  const more = issues.length - listed.length
  return more > 0 ? `${listed.join('; ')}; and ${more} more` : listed.join('; ')
}

/** Whether something can be used as a schema at all. */
export function isSchema(candidate: unknown): candidate is Schema {
  const standard = (candidate as Partial<Schema> | null | undefined)?.['~standard']
  return typeof standard?.validate === 'function'
}

function plain(issue: StandardSchemaV1.Issue): Issue {
  // Not `path.map`: arktype's path is a class of its own, whose map of an empty path has one element.
  const segments = Array.from(issue.path ?? [], (segment) => (typeof segment === 'object' ? segment.key : segment))
  return { path: segments.map(String).join('.'), message: issue.message }
}
