/** What the operations of the OpenAPI document have in common: parameters, answers and problems. */
import type { Fold } from '../../domain/aggregate.ts'
import { problemType } from '../problem.ts'
import { markedType, plainType } from '../representation.ts'
import { numberMax } from '../request-headers.ts'
import { jsonSchemaOf } from './json-schema.ts'

export const problemSchema: object = {
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

export const problemResponse: object = {
  description: 'A problem (RFC 9457), with a code.',
  content: { [problemType]: { schema: { $ref: '#/components/schemas/Problem' } } },
}

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description?: string
  readonly schema: object
}

/** The schema of sequences and positions. */
export const sequence: object = { type: 'integer', minimum: 0, maximum: numberMax }

/** The id of an instance in a path. */
export const id: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', pattern: '^[^\\u0000]{1,256}$' },
}

export const query = (name: string, schema: object): Parameter => ({ name, in: 'query', required: false, schema })

export const header = (name: string, description: string, schema: object): Parameter => ({
  ...{ name, in: 'header', required: false, description },
  schema,
})

/** The schema of an event of a kind. */
export function eventSchema({ kind }: Fold): object {
  const data = jsonSchemaOf(kind.revisions.at(-1)!.schema, 'output')
  return {
    type: 'object',
    required: ['type', 'data', 'sequence', 'position'],
    properties: { type: { const: kind.type }, data, sequence, position: sequence },
  }
}

export type Problems = Readonly<Record<number, string>>

export const readProblems: Problems = {
  400: 'The request is malformed.',
  403: 'Its sender may not do that.',
  503: 'The service cannot answer now.',
}

export interface Operation {
  readonly description?: string
  readonly parameters: readonly object[]
  readonly responses: Readonly<Record<string, { readonly content?: object; readonly [part: string]: unknown }>>
}

/** @param problems the descriptions of the answers that are problems, by their statuses */
export const operation = (
  name: string,
  schema: object,
  parameters: readonly object[],
  problems: Problems = readProblems,
  headers?: object,
): Operation => ({
  ...{ operationId: name.replaceAll(/\W+/g, '_'), parameters },
  responses: {
    200: {
      description: 'The answer.',
      ...(headers !== undefined && { headers }),
      content: { [plainType]: { schema }, [markedType]: {} },
    },
    ...Object.fromEntries(
      Object.entries(problems).map(([status, description]) => [status, { ...problemResponse, description }]),
    ),
    default: { $ref: '#/components/responses/Problem' },
  },
})
