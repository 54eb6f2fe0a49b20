/** The JSON Schema of a schema, if its library can tell it (Standard JSON Schema, as zod and arktype do). */
import type { Json } from '../../../src/index.ts'

interface StandardJsonSchema {
  readonly jsonSchema?: { readonly input?: (options: object) => unknown }
}

/** What a schema takes; nothing if it cannot be told. Its personal fields have `x-personal`. */
export function jsonSchemaOf(schema: { readonly '~standard': unknown }): Json | undefined {
  try {
    // For zod: what JSON Schema has not, such as a date, is then anything, and the rest is still told.
    const options = { target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } }
    const told = (schema['~standard'] as StandardJsonSchema).jsonSchema?.input?.(options)
    return told === undefined ? undefined : (JSON.parse(JSON.stringify(told)) as Json)
  } catch {
    return undefined
  }
}
