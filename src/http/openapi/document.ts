/** The OpenAPI document (3.1) of a service, made from the schemas of its commands and events. */
import type { AnyAggregate, Fold } from '../../domain/aggregate.ts'
import { answer, checkRead, type Exchange, parametersOf, type Service } from '../exchange.ts'
import { problemType } from '../problem.ts'
import { plainType } from '../representation.ts'
import { jsonSchemaOf } from './json-schema.ts'

/** `GET /openapi.json` */
export async function readDocument(exchange: Exchange): Promise<Response> {
  parametersOf(exchange.request, [])
  await checkRead(exchange, { kind: 'document' })
  return answer(exchange, documentOf(exchange.service))
}

function documentOf({ inside, settings }: Service): object {
  const aggregates = Object.entries(inside.aggregates)
  const limit = { type: 'integer', minimum: 1, maximum: settings.pageSizeMax }
  const projections = Object.entries(inside.projections).filter(([, { shape }]) => shape !== 'code')
  return {
    openapi: '3.1.0',
    info: { title: 'A domain', version: '1' },
    ...(settings.basePath !== '' && { servers: [{ url: settings.basePath }] }),
    paths: {
      ...Object.assign({}, ...aggregates.map(([key, aggregate]) => aggregatePaths(key, aggregate, limit))),
      ...Object.assign({}, ...projections.map(([key, { shape }]) => projectionPaths(key, shape, limit))),
    },
    components: { schemas: { Problem: problemSchema }, responses: { Problem: problemResponse } },
  }
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'retryable'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'The code of an error, or of a rejection.' },
    retryable: { type: 'boolean' },
    details: { description: 'Those of a rejection.' },
    issues: { type: 'array', items: { type: 'object' } },
  },
}
const problemResponse = {
  description: 'A problem (RFC 9457), with a code.',
  content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } },
}

const sequence = { type: 'integer', minimum: 0 }
const id = { name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^[^\\u0000]{1,256}$' } }
const query = (name: string, schema: object) => ({ name, in: 'query', required: false, schema })
const header = (name: string, description: string, schema: object) => ({
  ...{ name, in: 'header', required: false, description },
  schema,
})
const atLeast = header('Mneme-Position', 'The position that the read model must have handled.', sequence)

function aggregatePaths(key: string, aggregate: AnyAggregate, limit: object): object {
  const base = `/aggregates/${encodeURIComponent(key)}`
  const events = [...aggregate.folds.values()].map(eventSchema)
  const event = events.length === 0 ? {} : { anyOf: events }
  const reading = {
    type: 'object',
    required: ['state', 'sequence', 'position'],
    properties: { state: {}, sequence, position: sequence },
  }
  const history = { type: 'object', required: ['events'], properties: { events: { type: 'array', items: event } } }
  const ids = { type: 'object', required: ['ids'], properties: { ids: { type: 'array', items: { type: 'string' } } } }
  const outcome = {
    type: 'object',
    required: ['sequence', 'position'],
    properties: { state: {}, sequence, position: sequence, events: { type: 'array', items: event } },
  }
  const range = [query('from', sequence), query('to', sequence), query('direction', { enum: ['forward', 'backward'] })]
  const commands = [...aggregate.decisions].map(([name, { schema }]) => [
    `${base}/{id}/${encodeURIComponent(name)}`,
    {
      post: {
        ...operation(`${key}.${name}`, outcome, [id, ...commandHeaders]),
        requestBody: bodyOf(jsonSchemaOf(schema, 'input')),
      },
    },
  ])
  return {
    [base]: { get: operation(`${key} ids`, ids, [query('after', { type: 'string' }), query('limit', limit)]) },
    [`${base}/{id}`]: {
      get: operation(`${key} state`, reading, [
        id,
        query('sequence', sequence),
        query('time', { type: 'string', format: 'date-time' }),
      ]),
    },
    [`${base}/{id}/events`]: { get: operation(`${key} events`, history, [id, ...range, query('limit', limit)]) },
    ...Object.fromEntries(commands),
  }
}

const commandHeaders = [
  header('Idempotency-Key', 'The id of the command: a repetition has no second effect.', {
    type: 'string',
    pattern: '^[!#-~]{1,1000}$',
  }),
  header('If-Match', 'The ETag of the state on which the command is to be decided.', {
    type: 'string',
    pattern: '^"(0|[1-9][0-9]{0,14})"$',
  }),
  header('Prefer', 'return=minimal leaves the state and the events out of the answer.', {
    enum: ['return=minimal', 'return=representation'],
  }),
]

const bodyOf = (schema: object): object => ({
  required: Object.keys(schema).length > 0,
  content: { [plainType]: { schema } },
})

function eventSchema({ kind }: Fold): object {
  const data = jsonSchemaOf(kind.revisions.at(-1)!.schema, 'output')
  return {
    type: 'object',
    required: ['type', 'data', 'sequence', 'position'],
    properties: { type: { const: kind.type }, data, sequence, position: sequence },
  }
}

function projectionPaths(key: string, shape: string, limit: object): object {
  const base = `/projections/${encodeURIComponent(key)}`
  if (shape === 'state') return { [base]: { get: operation(key, {}, [atLeast]) } }
  const found = { type: 'object', required: ['key', 'row'], properties: { key: { type: 'string' }, row: {} } }
  const page = {
    type: 'object',
    required: ['rows'],
    properties: { rows: { type: 'array', items: found }, next: { type: 'string' } },
  }
  const json = (name: string, type: string) => ({
    ...{ name, in: 'query', required: false },
    content: { [plainType]: { schema: { type } } },
  })
  const parameters = [
    json('where', 'object'),
    json('or', 'array'),
    json('orderBy', 'array'),
    query('limit', limit),
    query('after', { type: 'string' }),
  ]
  return {
    [base]: { get: operation(`${key} rows`, page, [...parameters, atLeast]) },
    [`${base}/{key}`]: { get: operation(`${key} row`, {}, [{ ...id, name: 'key' }, atLeast]) },
  }
}

const operation = (name: string, schema: object, parameters: readonly object[]): object => ({
  operationId: name.replaceAll(/\W+/g, '_'),
  parameters,
  responses: {
    200: { description: 'The answer.', content: { [plainType]: { schema } } },
    default: { $ref: '#/components/responses/Problem' },
  },
})
