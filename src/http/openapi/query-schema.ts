/** The schemas of queries: which fields there are is seen in the row before its first event, as `find` does. */
import { isRecord } from '../../domain/field-path.ts'
import { operators } from '../../projection/reading/find-operators.ts'

const simple = ['string', 'number', 'boolean', 'null']
const bound = { type: simple }
const equal = { type: [...simple, 'array'] }
const comparison = {
  type: 'object',
  minProperties: 1,
  additionalProperties: false,
  properties: {
    ...Object.fromEntries(['gt', 'gte', 'lt', 'lte'].map((operator) => [operator, bound])),
    not: equal,
    in: { type: 'array' },
    startsWith: { type: 'string' },
    includes: { type: 'string' },
  },
}
/** A field that may hold a record may be equal to one. A record with an operator is a comparison. */
const record = { type: 'object', propertyNames: { pattern: '^[^$]*$', not: { enum: operators } } }
const description = 'A value, or a comparison. A date is { "$date": "2026-01-01T00:00:00.000Z" }.'

const wanted = (held: unknown): object => ({
  description,
  anyOf: [equal, comparison, ...(['object', 'undefined'].includes(typeof held) ? [record] : [])],
})

/** The schemas of `where`, `or` and `orderBy`. */
export function querySchemas(initial: unknown): {
  readonly where: object
  readonly or: object
  readonly orderBy: object
} {
  const fields = isRecord(initial) ? Object.entries(initial) : []
  const where = fields.length === 0 ? { type: 'object' } : closed(fields)
  const names = fields.length === 0 ? { type: 'string' } : nameSchema(fields)
  const ordered = { type: 'array', prefixItems: [names, directions], items: false, minItems: 2, maxItems: 2 }
  return {
    where,
    or: { type: 'array', items: where },
    orderBy: { type: 'array', items: { anyOf: [names, ordered] } },
  }
}

const directions = { enum: ['ascending', 'descending'] }
type Fields = readonly (readonly [string, unknown])[]

/** `address.city` is a field of a record in a row. */
const withParts = (fields: Fields): readonly string[] =>
  fields.filter(([, held]) => typeof held === 'object' && held !== null).map(([name]) => escaped(name))

const escaped = (name: string): string =>
  name.replaceAll(/[^\w]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

function closed(fields: Fields): object {
  const parts = withParts(fields)
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map(([name, held]) => [name, wanted(held)])),
    ...(parts.length > 0 && { patternProperties: { [`^(${parts.join('|')})\\.`]: {} } }),
    additionalProperties: false,
  }
}

function nameSchema(fields: Fields): object {
  const parts = withParts(fields)
  const names = { enum: fields.map(([name]) => name) }
  return parts.length === 0 ? names : { anyOf: [names, { type: 'string', pattern: `^(${parts.join('|')})\\.` }] }
}
