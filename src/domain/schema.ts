/**
 * Runs schemas: synchronously, with all issues collected as plain `{ path, message }`. The output of an event's schema
 * is what is stored and what readers get (`stored-form.ts`).
 */
import { wordsOf } from './error-words.ts'
import type { StandardSchemaV1 } from './standard-schema.ts'

/** Any validator that implements Standard Schema: zod, valibot, arktype, Effect Schema and others. */
export type Schema = StandardSchemaV1<any, any>
/** What functions that infer types take as a schema: the compiler needs much longer to compare one with `Schema`. */
export interface AnySchema {
  readonly '~standard': unknown
}
/** A schema of zod 4. Its types are read where zod keeps them: the compiler takes twice as long by `~standard`. */
interface ZodSchema {
  readonly _zod: { readonly input: any; readonly output: any }
}
/** The input type of a schema: what a decision returns. */
export type In<S extends AnySchema> = S extends ZodSchema
  ? S['_zod']['input']
  : S extends Schema
    ? StandardSchemaV1.InferInput<S>
    : never
/** The output type of a schema: what is stored, as JSON, and what readers get. */
export type Out<S extends AnySchema> = S extends ZodSchema
  ? S['_zod']['output']
  : S extends Schema
    ? StandardSchemaV1.InferOutput<S>
    : never

/** One thing that is wrong with some data, for instance `{ path: 'address.zip', message: 'Too small' }`. */
export interface Issue {
  readonly path: string
  readonly message: string
}

/** The result of a validation: the output, all issues, or `async` for an asynchronous schema. */
export type Checked = { readonly value: unknown } | { readonly issues: readonly Issue[] } | 'async'

/** Runs a schema on a value. Never throws: a schema that throws is an issue at the root. */
export function check(schema: Schema, value: unknown): Checked {
  let result: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>
  try {
    result = schema['~standard'].validate(value)
  } catch (thrown) {
    return { issues: [{ path: '', message: `the schema threw: ${wordsOf(thrown)}` }] }
  }
  if (result instanceof Promise) {
    result.catch(() => {})
    return 'async'
  }
  return result.issues ? { issues: result.issues.map(plain) } : (result as { value: unknown })
}

/** How many issues a message lists. The facts of the error have them all. */
const listedMax = 10

/** Issues in one line: `amount: Too small; owner: Required`. */
export function describe(issues: readonly Issue[]): string {
  const listed = issues.slice(0, listedMax).map(({ path, message }) => (path ? `${path}: ${message}` : message))
  const more = issues.length - listed.length
  return more > 0 ? `${listed.join('; ')}; and ${more} more` : listed.join('; ')
}

/** Whether a value can be used as a schema. */
export function isSchema(candidate: unknown): candidate is Schema {
  const standard = (candidate as Partial<Schema> | null | undefined)?.['~standard']
  return typeof standard?.validate === 'function'
}

function plain(issue: StandardSchemaV1.Issue): Issue {
  // Not `path.map`: the path of arktype is an instance of a class, whose map of an empty path has one element.
  const segments = Array.from(issue.path ?? [], (segment) => (typeof segment === 'object' ? segment.key : segment))
  return { path: segments.map(String).join('.'), message: issue.message }
}
