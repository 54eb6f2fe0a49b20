/**
 * The JSON Schema of a schema, if its library can tell: by the Standard JSON Schema specification, as zod and arktype
 * do. No library is needed for it. A schema that cannot be told allows everything.
 */
import type { Json } from '../../domain/json.ts'
import type { Schema } from '../../domain/schema.ts'

type JsonSchema = Readonly<Record<string, Json>>

interface StandardJsonSchema {
  readonly jsonSchema?: Partial<Record<'input' | 'output', (options: { readonly target: string }) => unknown>>
}

/** What the schema takes, or what it gives out. */
export function jsonSchemaOf(schema: Schema, side: 'input' | 'output'): JsonSchema {
  try {
    const standard = schema['~standard'] as StandardJsonSchema
    const told = standard.jsonSchema?.[side]?.({ target: 'draft-2020-12' })
    if (typeof told !== 'object' || told === null) return {}
    const { $schema: _, ...rest } = JSON.parse(JSON.stringify(told)) as Record<string, Json>
    return rest
  } catch {
    // It has something that JSON Schema has not, such as a date.
    return {}
  }
}
