/** Runs the schemas of the domain on the data of a test. */
import type { AnyAggregate } from '../../../../src/index.ts'

type Decisions = AnyAggregate['decisions'] extends ReadonlyMap<string, infer Decision> ? Decision : never

export type Schema = Decisions['schema']

/** What a schema makes of data. @throws Error if it refuses them */
export function checked(schema: Schema, data: unknown): unknown {
  const result = schema['~standard'].validate(data)
  if (result instanceof Promise) throw new Error('its schema is asynchronous')
  if (result.issues === undefined) return result.value
  throw new Error(result.issues.map(({ message }) => message).join('; '))
}

/** The places at which a schema refuses data. */
export function issuesOf(schema: Schema, data: unknown): readonly (readonly string[])[] {
  const result = schema['~standard'].validate(data)
  if (result instanceof Promise || result.issues === undefined) return []
  return result.issues.map(({ path = [] }) =>
    Array.from(path, (part) => String(typeof part === 'object' ? part.key : part)),
  )
}
