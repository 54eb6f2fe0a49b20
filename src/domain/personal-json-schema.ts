/**
 * The JSON Schema of a schema with personal fields, if the schema inside can tell its own (Standard JSON Schema): the
 * same, with `x-personal` at these fields. So a form can treat them with care.
 */
import type { FieldTree } from './personal-fields.ts'
import type { Schema } from './schema.ts'

type Tell = (options: unknown) => unknown
type Told = Readonly<Record<string, unknown>>

/** What a schema says about itself besides validating. */
interface StandardJsonSchema {
  readonly jsonSchema?: Partial<Record<'input' | 'output', Tell>>
}

/** The property `jsonSchema` of a schema with personal fields; nothing if the schema inside has none. */
export function personalJsonSchema(inner: Schema, fields: FieldTree): StandardJsonSchema {
  const { jsonSchema } = inner['~standard'] as StandardJsonSchema
  if (jsonSchema === undefined) return {}
  const side = (tell: Tell | undefined): Tell => {
    return (options) => marked(tell?.(options), fields)
  }
  return { jsonSchema: { input: side(jsonSchema.input), output: side(jsonSchema.output) } }
}

/** How a schema says that it is one of several, or all of them. */
const combinations = ['anyOf', 'oneOf', 'allOf'] as const

function marked(schema: unknown, fields: FieldTree): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const told = schema as Told
  const copy: Record<string, unknown> = { ...told }
  if (told['items'] !== undefined) copy['items'] = marked(told['items'], fields)
  for (const name of combinations)
    if (Array.isArray(told[name])) copy[name] = told[name].map((each) => marked(each, fields))
  const properties = told['properties'] as Told | undefined
  if (properties !== undefined) copy['properties'] = { ...properties, ...markedProperties(properties, fields) }
  return copy
}

function markedProperties(properties: Told, fields: FieldTree): Told {
  const found = fields.filter(({ name }) => Object.hasOwn(properties, name))
  return Object.fromEntries(
    found.map(({ name, within }) => {
      const property = properties[name]
      return [name, within === undefined ? { ...(property as Told), 'x-personal': true } : marked(property, within)]
    }),
  )
}
