/** The OpenAPI document (3.1) of a service, made from the schemas of its commands and events. */
import type { ProjectionsByName } from '../../application/running.ts'
import type { AnyAggregate } from '../../domain/aggregate.ts'
import type { AnyProjection } from '../../domain/projection.ts'
import { answer, checkRead, type Exchange, parametersOf, type Service } from '../exchange.ts'
import { plainType } from '../representation.ts'
import { jsonSchemaOf } from './json-schema.ts'
import {
  eventSchema,
  header,
  id,
  operation,
  type Problems,
  problemResponse,
  problemSchema,
  query,
  readProblems,
  sequence,
} from './parts.ts'
import { querySchemas } from './query-schema.ts'
import { eventPaths, followable, streamPaths } from './stream-paths.ts'

/** `GET /openapi.json` */
export async function readDocument(exchange: Exchange): Promise<Response> {
  parametersOf(exchange.request, [])
  await checkRead(exchange, { kind: 'document' })
  return answer(exchange, documentOf(exchange.service))
}

function documentOf({ inside, settings }: Service): object {
  const aggregates = Object.entries(inside.aggregates)
  const limit = { type: 'integer', minimum: 1, maximum: settings.pageSizeMax }
  const projections = rowsOf(inside.projections)
  return {
    openapi: '3.1.0',
    info: { title: 'A domain', version: '1' },
    ...(settings.basePath !== '' && { servers: [{ url: settings.basePath }] }),
    paths: {
      ...Object.assign({}, ...aggregates.map(([key, aggregate]) => aggregatePaths(key, aggregate, limit))),
      ...Object.assign({}, ...projections.map(([key, projection]) => projectionPaths(key, projection, limit))),
      ...eventPaths(inside.aggregates),
      ...streamPaths(inside.aggregates),
    },
    components: { schemas: { Problem: problemSchema }, responses: { Problem: problemResponse } },
  }
}

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
        ...operation(`${key}.${name}`, outcome, [id, ...commandHeaders], commandProblems, answerHeaders),
        requestBody: bodyOf(jsonSchemaOf(schema, 'input')),
      },
    },
  ])
  return {
    [base]: { get: operation(`${key} ids`, ids, [query('after', id.schema), query('limit', limit)]) },
    [`${base}/{id}`]: {
      get: operation(
        `${key} state`,
        reading,
        [id, query('sequence', sequence), query('time', { type: 'string', format: 'date-time' })],
        readProblems,
        answerHeaders,
      ),
    },
    [`${base}/{id}/events`]: {
      get: followable(operation(`${key} events`, history, [id, ...range, query('limit', limit)]), event),
    },
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
    pattern: '^("(0|[1-9][0-9]{0,14})"|0|[1-9][0-9]{0,14})$',
  }),
  header('Prefer', 'return=minimal leaves the state and the events out of the answer. Other preferences are ignored.', {
    type: 'string',
  }),
]

const bodyOf = (schema: object): object => ({
  required: Object.keys(schema).length > 0,
  content: { [plainType]: { schema } },
})

/** The projections whose rows or states are served. */
const rowsOf = (projections: ProjectionsByName): [string, AnyProjection][] =>
  Object.entries(projections).filter((entry): entry is [string, AnyProjection] => entry[1].shape !== 'code')

function projectionPaths(key: string, { shape, initial }: AnyProjection, limit: object): object {
  const name = encodeURIComponent(key)
  if (shape === 'state') return { [`/projections/${name}`]: { get: operation(key, {}, [atLeast], waitProblems) } }
  const found = { type: 'object', required: ['key', 'row'], properties: { key: { type: 'string' }, row: {} } }
  const page = {
    type: 'object',
    required: ['rows'],
    properties: { rows: { type: 'array', items: found }, next: { type: 'string' } },
  }
  const count = { type: 'object', required: ['count'], properties: { count: sequence } }
  const { where, or, orderBy } = querySchemas(initial())
  const json = (parameter: string, schema: object) => ({
    ...{ name: parameter, in: 'query', required: false },
    content: { [plainType]: { schema } },
  })
  const filter = [json('where', where), json('or', or)]
  const after = { type: 'string', description: 'The next of an earlier page with the same orderBy.' }
  const parameters = [...filter, json('orderBy', orderBy), query('limit', limit), query('after', after)]
  return {
    [`/projections/${name}`]: { get: operation(`${key} rows`, page, [...parameters, atLeast], waitProblems) },
    [`/projections/${name}/{key}`]: {
      get: operation(`${key} row`, {}, [{ ...id, name: 'key' }, atLeast], {
        ...waitProblems,
        404: 'There is no such row.',
      }),
    },
    [`/counts/${name}`]: { get: operation(`${key} count`, count, [...filter, atLeast], waitProblems) },
  }
}

const waitProblems: Problems = { ...readProblems, 410: 'The log does not have the position that was asked for.' }
const commandProblems: Problems = {
  ...readProblems,
  408: 'The body has come too slowly.',
  409: 'The id of the command was used for another one, or the command was rejected as a conflict.',
  412: 'The aggregate has changed since it was read.',
  413: 'The command is too large.',
  415: 'The body is not application/json.',
  422: 'The command was rejected.',
  504: 'It is unknown whether the command was stored. It may be sent again with its id.',
}

const answerHeaders = {
  ETag: { description: 'The sequence, for If-Match.', schema: { type: 'string' } },
  'Mneme-Position': { description: 'The position of the last event.', schema: sequence },
}
