/** What a form shows for a JSON Schema, and the value it begins with. What is too unusual is edited as JSON. */
import type { Json } from '../src/studio/views.ts'

export type Schema = Readonly<Record<string, Json>>

export interface Property {
  readonly name: string
  readonly schema: Schema
  readonly isRequired: boolean
}

export type Field =
  | { readonly kind: 'record'; readonly properties: readonly Property[] }
  | { readonly kind: 'list'; readonly item: Schema }
  | { readonly kind: 'choice'; readonly options: readonly Json[] }
  | { readonly kind: 'variants'; readonly variants: readonly Schema[] }
  | { readonly kind: 'text'; readonly format: string | undefined }
  | { readonly kind: 'number'; readonly isWhole: boolean; readonly least: number | undefined; readonly most?: number }
  | { readonly kind: 'truth' }
  | { readonly kind: 'json' }

/** Deeper schemas are edited as JSON, so that one that contains itself ends. */
const depthMax = 8

/** The field for a schema. @param root where `$ref` leads */
export function fieldOf(given: Schema, root: Schema): Field {
  const schema = resolved(given, root)
  const { const: only, enum: options, anyOf, oneOf, type, properties, items, format, allOf } = schema
  if (only !== undefined) return { kind: 'choice', options: [only] }
  if (Array.isArray(options)) return { kind: 'choice', options }
  const variants = (oneOf ?? anyOf) as readonly Schema[] | undefined
  if (Array.isArray(variants)) return fieldOfVariants(variants, root)
  if (Array.isArray(type))
    return fieldOfVariants(
      type.map((each) => ({ ...schema, type: each })),
      root,
    )
  if (allOf !== undefined) return { kind: 'json' }
  if (type === 'object' && isRecord(properties)) return { kind: 'record', properties: propertiesOf(schema) }
  if (type === 'array' && isRecord(items)) return { kind: 'list', item: items as Schema }
  if (type === 'string') return { kind: 'text', format: typeof format === 'string' ? format : undefined }
  if (type === 'boolean') return { kind: 'truth' }
  if (type === 'null') return { kind: 'choice', options: [null] }
  if (type === 'number' || type === 'integer') return numberField(schema)
  return { kind: 'json' }
}

/** Variants that are single values are one choice. */
function fieldOfVariants(variants: readonly Schema[], root: Schema): Field {
  if (variants.length === 1) return fieldOf(variants[0]!, root)
  const fields = variants.map((variant) => fieldOf(variant, root))
  const options = fields.flatMap((field) => (field.kind === 'choice' ? field.options : []))
  if (fields.every(({ kind }) => kind === 'choice')) return { kind: 'choice', options }
  return { kind: 'variants', variants }
}

function numberField({ type, minimum, exclusiveMinimum, maximum }: Schema): Field {
  const isWhole = type === 'integer'
  const above = typeof exclusiveMinimum === 'number' ? exclusiveMinimum + (isWhole ? 1 : 0) : undefined
  const least = typeof minimum === 'number' ? minimum : above
  const isSafe = typeof maximum === 'number' && Math.abs(maximum) < Number.MAX_SAFE_INTEGER
  const isLowSafe = least !== undefined && Math.abs(least) < Number.MAX_SAFE_INTEGER
  return { kind: 'number', isWhole, least: isLowSafe ? least : undefined, ...(isSafe && { most: maximum }) }
}

function propertiesOf({ properties, required }: Schema): readonly Property[] {
  const needed = new Set(Array.isArray(required) ? (required as readonly Json[]) : [])
  return Object.entries(properties as Readonly<Record<string, Schema>>).map(([name, schema]) => ({
    name,
    schema,
    isRequired: needed.has(name),
  }))
}

function resolved(schema: Schema, root: Schema): Schema {
  let found = schema
  for (let depth = 0; typeof found['$ref'] === 'string' && depth < depthMax; depth++) {
    const [start, ...path] = found['$ref'].split('/')
    let target: Json | undefined = start === '#' ? root : undefined
    for (const part of path) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
      target = isRecord(target) ? target[key] : undefined
    }
    if (!isRecord(target)) return {}
    found = target
  }
  return found
}

export function isRecord(value: Json | undefined): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value with which a form begins: what the schema says, otherwise the simplest one of the kind. */
export function initialOf(schema: Schema, root: Schema, depth = 0): Json {
  const { default: said } = resolved(schema, root)
  if (said !== undefined) return said
  const field = fieldOf(schema, root)
  switch (field.kind) {
    case 'record': {
      const needed = field.properties.filter(({ isRequired }) => isRequired && depth < depthMax)
      return Object.fromEntries(needed.map(({ name, schema: of }) => [name, initialOf(of, root, depth + 1)]))
    }
    case 'list':
      return []
    case 'choice':
      return field.options[0] ?? null
    case 'variants':
      return initialOf(field.variants[0]!, root, depth + 1)
    case 'text':
      return ''
    case 'number':
      return Math.max(0, field.least ?? 0)
    case 'truth':
      return false
    case 'json':
      return null
  }
}

/** The variant that a value most likely is; the first one if it is none. */
export function variantOf(variants: readonly Schema[], value: Json, root: Schema): number {
  const found = variants.findIndex((variant) => fits(variant, value, root))
  return Math.max(0, found)
}

/** Whether a value has the form of a schema, at the top, and the constants that it names. */
function fits(schema: Schema, value: Json, root: Schema): boolean {
  const field = fieldOf(schema, root)
  switch (field.kind) {
    case 'record':
      return isRecord(value) && field.properties.every((property) => fitsProperty(property, value, root))
    case 'list':
      return Array.isArray(value)
    case 'choice':
      return field.options.some((option) => option === value)
    case 'variants':
      return field.variants.some((variant) => fits(variant, value, root))
    case 'text':
      return typeof value === 'string'
    case 'number':
      return typeof value === 'number'
    case 'truth':
      return typeof value === 'boolean'
    case 'json':
      return true
  }
}

function fitsProperty({ name, schema, isRequired }: Property, value: Readonly<Record<string, Json>>, root: Schema) {
  if (!Object.hasOwn(value, name)) return !isRequired
  return fieldOf(schema, root).kind !== 'choice' || fits(schema, value[name]!, root)
}

/** What a variant is called: by its constants, its title, or its type. */
export function variantName(variant: Schema, root: Schema): string {
  const schema = resolved(variant, root)
  if (typeof schema['title'] === 'string') return schema['title']
  const field = fieldOf(variant, root)
  if (field.kind === 'choice') return field.options.map((option) => JSON.stringify(option)).join(' or ')
  if (field.kind !== 'record')
    return {
      list: 'list',
      variants: 'one of several',
      json: 'JSON',
      truth: 'yes or no',
      text: 'text',
      number: 'number',
    }[field.kind]
  const constants = field.properties.flatMap(({ name, schema: of }) => {
    const inner = fieldOf(of, root)
    return inner.kind === 'choice' && inner.options.length === 1 ? [`${name} ${String(inner.options[0])}`] : []
  })
  return constants.join(', ') || field.properties.map(({ name }) => name).join(', ') || 'empty'
}

/** The data with `[personal]` in the fields that the schema marks as personal, so that it can be kept in an address. */
export function withoutPersonal(value: Json, schema: Schema | undefined, root: Schema): Json {
  if (schema === undefined) return value
  if (resolved(schema, root)['x-personal'] === true) return '[personal]'
  const field = fieldOf(schema, root)
  if (field.kind === 'variants')
    return withoutPersonal(value, field.variants[variantOf(field.variants, value, root)], root)
  if (field.kind === 'list' && Array.isArray(value))
    return (value as readonly Json[]).map((item) => withoutPersonal(item, field.item, root))
  if (field.kind !== 'record' || !isRecord(value)) return value
  const of = new Map(field.properties.map(({ name, schema: inner }) => [name, inner]))
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, withoutPersonal(each, of.get(name), root)]),
  )
}
